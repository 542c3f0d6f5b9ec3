# Your own faces, or other small objects, as COCO json: the settings of WIDER FACE
_base_ = './wider_face_640.py'
import os.path as osp

# ==============What to set in your config; everything else follows==============
data_root = 'data/faces/'
classes = ('face', )  # names of the classes in the order of the annotation files
train_ann_file = 'annotations/train.json'
val_ann_file = 'annotations/val.json'
img_scale = (640, 640)  # width, height; multiples of 32
# Folders of the images, to which the `file_name`s of the annotation files are relative
train_data_prefix = 'images/'
val_data_prefix = 'images/'
train_num_workers = 4

# =======================Unmodified in most cases==================
# Without min_face_size: faces of every size are trained on
data = dict(_delete_=True, type='mmseam.YOLOCocoDataset', data_root=data_root, metainfo=dict(classes=classes))
train_dataloader = dict(
    num_workers=train_num_workers,
    dataset=dict(
        **data,
        ann_file=train_ann_file,
        data_prefix=dict(img=train_data_prefix),
        filter_cfg=dict(filter_empty_gt=False, min_size=0),
        pipeline=_base_.train_pipeline))
val_dataloader = dict(
    dataset=dict(
        **data,
        test_mode=True,
        ann_file=val_ann_file,
        data_prefix=dict(img=val_data_prefix),
        pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='mmseam.CocoMetric',
    proposal_nums=(100, 300, 1000),
    ann_file=osp.join(data_root, val_ann_file),
    metric='bbox')
test_evaluator = val_evaluator
data_model = dict(
    bbox_head=dict(head_module=dict(num_classes=len(classes))),
    train_cfg=dict(assigner=dict(num_classes=len(classes), topk=_base_.one_class_model.train_cfg.assigner.topk)),
    test_cfg=_base_.one_class_model.test_cfg)
