# Image size and test pipelines of all datasets
# ========================Frequently modified parameters======================
img_scale = (640, 640)  # width, height; multiples of 32. Training, testing and test-time augmentation follow it

# ========================Possible modified parameters========================
# Scales of the test-time augmentation: the image size, half as much more, and twice as much
tta_scales = [
    img_scale,
    (img_scale[0] * 3 // 64 * 32, img_scale[1] * 3 // 64 * 32),
    (img_scale[0] * 2, img_scale[1] * 2),
]

# =======================Unmodified in most cases==================
# Squares, and area interpolation where images shrink, see the measurements in docs/training.md. With
# `use_mini_pad=True`, LetterResize pads to stride multiples only: .4 COCO AP more, but not the recorded results
test_pipeline = [
    # mmseam.LoadIntactImage under the host's name, for which mmdet's DetInferencer looks
    dict(type='LoadImageFromFile', _scope_='mmseam'),
    dict(type='YOLOv5KeepRatioResize', scale=img_scale),
    dict(type='LetterResize', scale=img_scale, allow_scale_up=False, pad_val=dict(img=114)),
    dict(type='LoadAnnotations', with_bbox=True, _scope_='mmdet'),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'pad_param', 'instances'))
]

# Images in original size, padded to stride multiples (none has a side of 8192 pixels, so nothing is scaled). A child
# config of any size takes it by `test_dataloader = dict(dataset=dict(pipeline=_base_.original_size_pipeline))`
original_size_pipeline = [
    test_pipeline[0],
    dict(type='LetterResize', scale=(8192, 8192), allow_scale_up=False, use_mini_pad=True, pad_val=dict(img=114)),
    *test_pipeline[-2:]
]

# Several scales with and without flip: `tools/test.py --tta`. The flip comes before the padding: mmdet mirrors boxes
# in the original image, which is right only if both sides are padded alike
tta_pipeline = [
    test_pipeline[0],
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='mmdet.RandomFlip', prob=prob) for prob in (0.0, 1.0)],
            [
                dict(
                    type='Compose',
                    transforms=[
                        dict(type='YOLOv5KeepRatioResize', scale=scale),
                        dict(type='LetterResize', scale=scale, allow_scale_up=False, pad_val=dict(img=114))
                    ]) for scale in tta_scales
            ],
            [test_pipeline[-2]],
            [dict(test_pipeline[-1], meta_keys=(*test_pipeline[-1]['meta_keys'], 'flip', 'flip_direction'))],
        ])
]
