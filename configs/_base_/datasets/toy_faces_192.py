# Drawn faces in the layout of WIDER FACE, made by tools/dataset_converters/make_toy_faces.py
_base_ = './wider_face_640.py'

data_root = 'data/toy_faces/'
img_scale = (192, 192)  # width, height

resize = [
    dict(type='YOLOv5KeepRatioResize', scale=img_scale),
    dict(type='LetterResize', scale=img_scale, allow_scale_up=True, pad_val=dict(img=114.0))
]
# Without mosaic: the pictures hold several faces of many sizes already, and a short training has no time for it
train_pipeline = [
    *_base_.pre_transform, *resize,
    dict(
        type='YOLOv5RandomAffine',
        max_rotate_degree=0.0,
        max_shear_degree=0.0,
        max_translate_ratio=0.1,
        scaling_ratio_range=(0.7, 1.3),
        max_aspect_ratio=10,
        min_bbox_size=4,
        border_val=(114, 114, 114)), *_base_.last_transform
]
train_dataloader = dict(
    num_workers=1, dataset=dict(data_root=data_root, min_face_size=0, pipeline=train_pipeline))

test_pipeline = [
    _base_.test_pipeline[0], *resize, *_base_.test_pipeline[-2:]
]
val_dataloader = dict(
    batch_size=16, num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
