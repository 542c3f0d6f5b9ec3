# Your own data as COCO json, boxes with or without polygons: YOLO11's settings
_base_ = './coco_640.py'
import os.path as osp

# ==============What to set in your config; everything else follows==============
data_root = 'data/custom/'
classes = ('object', )  # names of the classes in the order of the annotation files
train_ann_file = 'annotations/train.json'
val_ann_file = 'annotations/val.json'
img_scale = (640, 640)  # width, height; multiples of 32
# Folders of the images, to which the `file_name`s of the annotation files are relative
train_data_prefix = 'images/'
val_data_prefix = 'images/'
train_num_workers = 4

# =======================Unmodified in most cases==================
# What the base has derived from its own values; configs that are loaded without mmseam's tools need it
metainfo = dict(classes=classes)
data = dict(data_root=data_root, metainfo=metainfo)
train_dataloader = dict(
    num_workers=train_num_workers,
    dataset=dict(
        **data,
        ann_file=train_ann_file,
        data_prefix=dict(img=train_data_prefix),
        filter_cfg=dict(filter_empty_gt=False, min_size=0)))
val_dataloader = dict(dataset=dict(**data, ann_file=val_ann_file, data_prefix=dict(img=val_data_prefix)))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=osp.join(data_root, val_ann_file))
test_evaluator = val_evaluator
data_model = dict(
    bbox_head=dict(head_module=dict(num_classes=len(classes))),
    train_cfg=dict(assigner=dict(num_classes=len(classes))))
