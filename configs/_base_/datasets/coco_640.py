_base_ = './letterbox_640.py'  # with img_scale, the image size
import os.path as osp

# ========================Frequently modified parameters======================
data_root = 'data/coco/'  # Root path of data
classes = None  # Names of the classes in the order of the annotation files; None: COCO's 80
train_ann_file = 'annotations/instances_train2017.json'
train_data_prefix = 'train2017/'  # Prefix of train image path
val_ann_file = 'annotations/instances_val2017.json'
val_data_prefix = 'val2017/'  # Prefix of val image path
train_num_workers = 8  # Worker to pre-fetch data for each GPU during training
# persistent_workers must be False if num_workers is 0
persistent_workers = True

# ========================Possible modified parameters========================
dataset_type = 'mmseam.YOLOCocoDataset'
metainfo = dict(classes=classes) if classes else dict()
# Merged into the model by every COCO config
num_data_classes = dict(num_classes=len(classes)) if classes else dict()
data_model = dict(bbox_head=dict(head_module=num_data_classes), train_cfg=dict(assigner=num_data_classes))
# Recipe of YOLO11's release by size: probability of MixUp, of copy-paste, and the scale jitter of the affine
augmentation = dict(
    n=(0.0, 0.1, 0.5), s=(0.05, 0.15, 0.9), m=(0.15, 0.4, 0.9), l=(0.15, 0.5, 0.9), x=(0.2, 0.6, 0.9))

# =======================Unmodified in most cases==================
# Polygons are used by copy-paste, and keep boxes tight through the affine; objects without one keep their annotated box
pre_transform = [
    dict(type='mmseam.LoadIntactImage'),
    dict(type='mmseam.LoadPolygonsOrBoxes')
]
last_transform = [
    dict(type='RemoveDataElement', keys=['gt_masks']),
    dict(type='YOLOv5HSVRandomAug', hue_delta=0.015, saturation_delta=0.7, value_delta=0.4),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'flip', 'flip_direction'))
]
mosaic = dict(type='Mosaic', img_scale=_base_.img_scale, pad_val=114.0, pre_transform=pre_transform)
affine = dict(
    type='mmseam.RandomAffineOutlines',
    max_rotate_degree=0.0,
    max_shear_degree=0.0,
    max_aspect_ratio=100,
    border_val=(114, 114, 114),
    min_area_ratio=0.01,  # of objects with a polygon
    min_box_area_ratio=0.1,  # of others
    use_mask_refine=True)
mosaic_affine = {
    size: [
        mosaic,
        dict(type='mmseam.CopyPasteOutlines', prob=copy_paste),
        dict(
            **affine,
            scaling_ratio_range=(1 - scale, 1 + scale),
            border=(-_base_.img_scale[0] // 2, -_base_.img_scale[1] // 2))
    ]
    for size, (mixup, copy_paste, scale) in augmentation.items()
}
# Pipelines by model size: a config of size s sets `train_dataloader.dataset.pipeline` to `train_pipelines['s']`
train_pipelines = {
    size: [
        *pre_transform, *mosaic_affine[size],
        dict(type='YOLOv5MixUp', prob=mixup, pre_transform=[*pre_transform, *mosaic_affine[size]]), *last_transform
    ]
    for size, (mixup, copy_paste, scale) in augmentation.items()
}
# The last epochs, without mosaic
train_pipelines_stage2 = {
    size: [
        *pre_transform,
        dict(type='YOLOv5KeepRatioResize', scale=_base_.img_scale),
        dict(type='LetterResize', scale=_base_.img_scale, allow_scale_up=True, pad_val=dict(img=114)),
        dict(**affine, scaling_ratio_range=(1 - scale, 1 + scale)), *last_transform
    ]
    for size, (mixup, copy_paste, scale) in augmentation.items()
}
train_pipeline_stage2 = train_pipelines_stage2['n']

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
        metainfo=metainfo,
        ann_file=train_ann_file,
        data_prefix=dict(img=train_data_prefix),
        filter_cfg=dict(filter_empty_gt=False, min_size=32),
        pipeline=train_pipelines['n']))

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
        metainfo=metainfo,
        ann_file=val_ann_file,
        data_prefix=dict(img=val_data_prefix),
        pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(
    type='mmseam.CocoMetric',
    proposal_nums=(1, 10, 100),
    ann_file=osp.join(data_root, val_ann_file),
    metric='bbox')
test_evaluator = val_evaluator

# Test-time augmentation: `tools/test.py --tta`
tta_model = dict(
    type='mmdet.DetTTAModel', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.7), max_per_img=300))
