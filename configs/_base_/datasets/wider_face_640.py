_base_ = './letterbox_640.py'  # with img_scale, the image size

# ========================Frequently modified parameters======================
data_root = 'data/WIDERFace/'  # with WIDER_train/, WIDER_val/ and wider_face_split/, as downloaded
train_ann_file = 'wider_face_split/wider_face_train_bbx_gt.txt'
train_data_prefix = 'WIDER_train/images/'
val_ann_file = 'wider_face_split/wider_face_val_bbx_gt.txt'
val_data_prefix = 'WIDER_val/images/'
# Folder of the official wider_{face,easy,medium,hard}_val.mat (eval_tools/ground_truth of the benchmark's download).
# Without it, subsets are derived from the heights of the faces and named so
gt_dir = None
train_num_workers = 8  # Worker to pre-fetch data for each GPU during training
# persistent_workers must be False if num_workers is 0
persistent_workers = True

# ========================Possible modified parameters========================
# Faces that are smaller in the original image are not trained on. WIDER images are 1024 wide: 8 pixels are 5 of the
# network's. Leaving out what is under 5 pixels has helped small nets (nothing of such a face survives stride 8).
min_face_size = 8
# A wide range of scales: half the faces of WIDER are under 16 pixels, and mosaic halves them once more
affine_scale = 0.5
# What follows is for WIDER's tiny faces; configs of other data inherit from the COCO ones, whose settings are YOLO11's.
# Minimum part of a face that must remain after the crop
min_bbox_size = 4
# Merged into the model by every WIDER FACE config
one_class_model = dict(
    bbox_head=dict(head_module=dict(num_classes=1)),
    # Five points per face instead of ten: a face of 8 pixels covers hardly one, and ten would reach into its
    # neighbors (worth .8 AP on the hard subset elsewhere)
    train_cfg=dict(assigner=dict(num_classes=1, topk=5)),
    # The protocol of WIDER FACE rewards long lists: up to 709 faces per image
    test_cfg=dict(
        multi_label=False, score_thr=0.01, nms=dict(type='nms', iou_threshold=0.5), max_per_img=1000))

# =======================Unmodified in most cases==================
dataset_type = 'mmseam.WIDERFaceDataset'
pre_transform = [
    # JPEGs are decoded at 1/2, 1/4 or 1/8 where that is still as large as the network's input. `cache='ram'`, or
    # `cache='disk', cache_dir=...`, keeps decoded images; see mmseam.LoadIntactImage
    dict(type='mmseam.LoadIntactImage', reduce_to=max(_base_.img_scale)),
    dict(type='LoadAnnotations', with_bbox=True)
]
last_transform = [
    dict(type='YOLOv5HSVRandomAug', hue_delta=0.015, saturation_delta=0.7, value_delta=0.4),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(
        type='mmseam.PackPlanarInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'flip', 'flip_direction'))
]
affine = dict(
    max_rotate_degree=0.0,
    max_shear_degree=0.0,
    scaling_ratio_range=(1 - affine_scale, 1 + affine_scale),
    max_aspect_ratio=10,
    min_bbox_size=min_bbox_size)
# Three of the four images are drawn from 40 that the worker process keeps of those it loaded recently (about 100 MB),
# not from the complete dataset: a batch is less mixed. That costs no accuracy on 600 images of faces (docs/training.md
# compares 40, 128 and all). Each image still appears four times an epoch on average.
# `use_cached=False` draws from the complete dataset and decodes four images per sample
mosaic_affine = dict(
    type='mmseam.MosaicAffine',
    img_scale=_base_.img_scale,
    pad_val=114.0,
    pre_transform=pre_transform,
    use_cached=True)
train_pipeline = [*pre_transform, dict(**mosaic_affine, **affine), *last_transform]
# The last epochs, without mosaic
train_pipeline_stage2 = [
    *pre_transform,
    dict(type='YOLOv5KeepRatioResize', scale=_base_.img_scale),
    dict(type='LetterResize', scale=_base_.img_scale, allow_scale_up=True, pad_val=dict(img=114)),
    dict(type='YOLOv5RandomAffine', border_val=(114, 114, 114), **affine), *last_transform
]
train_dataloader = dict(
    batch_size=16,
    num_workers=train_num_workers,
    persistent_workers=persistent_workers,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='mmseam.yolo_collate'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file=train_ann_file,
        data_prefix=dict(img=train_data_prefix),
        min_face_size=min_face_size,
        pipeline=train_pipeline))

val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=persistent_workers,
    pin_memory=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        test_mode=True,
        ann_file=val_ann_file,
        data_prefix=dict(img=val_data_prefix),
        pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader

# The official protocol, first and so the one that chooses the best checkpoint; COCO's metric over the faces that are
# not marked invalid. Both use the annotations of the dataset if `gt_dir` is None.
val_evaluator = [
    dict(type='mmseam.WIDERFaceMetric', gt_dir=gt_dir),
    dict(type='mmseam.CocoMetric', proposal_nums=(100, 300, 1000), metric='bbox')
]
test_evaluator = val_evaluator

# Test-time augmentation: `tools/test.py --tta`
tta_model = dict(
    type='mmdet.DetTTAModel', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=1000))
