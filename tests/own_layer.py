"""A layer of a user's own in head, neck and backbone of three detectors, and trainings with it."""
from pathlib import Path

from coco_files import coco_box, write_coco

#: Content of ``own_layers.py``, which lies beside the configs.
LAYERS = '''
from mmdet.models import RetinaHead
from mmengine.registry import MODELS
from torch import nn


@MODELS.register_module()
class OwnSE(nn.Module):
    def __init__(self, in_channels, ratio=4):
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(in_channels, in_channels // ratio, 1), nn.ReLU(),
            nn.Conv2d(in_channels // ratio, in_channels, 1), nn.Sigmoid())

    def forward(self, x):
        return x * self.gate(x)


@MODELS.register_module()
class OwnRetinaHead(RetinaHead):
    def _init_layers(self):
        super()._init_layers()
        self.attention = OwnSE(self.in_channels)

    def forward_single(self, x):
        return super().forward_single(self.attention(x))
'''
OWN = "dict(type='OwnSE')"
BASES = dict(
    yolo11="_base_ = 'mmseam::yolo11/yolo11_n_syncbn_fast_8xb16-500e_coco.py'\n",
    yolov8="_base_ = 'mmyolo::yolov8/yolov8_n_syncbn_fast_8xb16-500e_coco.py'\n",
    retinanet="_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'\n")
_YOLO = dict(
    head="bbox_head=dict(head_module=dict(type='mmseam.AttentionHeadModule', attention_cfg={}))",
    neck="neck=[_base_.model.neck, dict(type='mmseam.AttentionNeck', widen_factor=0.25, in_channels=[256, 512, 1024], "
         'attention_cfg={})]',
    backbone='backbone=dict(plugins=[dict(cfg={}, stages=(False, True, True, True))])')
#: Keyword arguments of ``model`` by detector and place; ``{}`` stands for the layer.
PLACES = dict(yolo11=_YOLO, yolov8=_YOLO, retinanet=dict(
    head="bbox_head=dict(type='OwnRetinaHead')",
    neck="neck=[_base_.model.neck, dict(type='mmseam.AttentionNeck', in_channels=[256] * 5, attention_cfg={})]",
    backbone="backbone=dict(init_cfg=None, plugins=[dict(cfg={}, stages=(False, False, False, True), "
             "position='after_conv2')])"))
#: Layers that each place takes.
COUNTS = dict(yolo11=dict(head=6, neck=3, backbone=3), yolov8=dict(head=6, neck=3, backbone=3),
              retinanet=dict(head=1, neck=5, backbone=3))

_YOLO_CLASSES = """model['bbox_head']['head_module']['num_classes'] = 1
model['train_cfg'] = dict(assigner=dict(num_classes=1))
"""
_ONE_CLASS = dict(yolo11=_YOLO_CLASSES, yolov8=_YOLO_CLASSES, retinanet="model['bbox_head']['num_classes'] = 1\n")
_TRAINING = """
pipeline = [
    dict(type='LoadImageFromFile'), dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.Resize', scale=(64, 64), keep_ratio=False), dict(type='mmdet.PackDetInputs')
]
dataset = dict(
    _delete_=True, type='{dataset}', data_root='{root}', ann_file='train.json', data_prefix=dict(img='images/'),
    metainfo=dict(classes=('face', )), pipeline=pipeline)
train_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False, dataset=dataset)
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(test_mode=True, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='mmdet.CocoMetric', ann_file='{root}/train.json', metric='bbox')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=1)
"""


def write_own_training(folder: Path, detector: str) -> Path:
    """Write ``own_layers.py``, a dataset, and the config of a training with the layer in all three places.

    Args:
        folder (Path): Where to.
        detector (str): A key of :data:`PLACES`.

    Returns:
        Path: The config.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'own_layers.py').write_text(LAYERS)
    write_coco(folder / 'data', {f'{i}.jpg': [coco_box((10, 10, 40, 50))] for i in range(4)})
    model = ', '.join(PLACES[detector].values()).replace('{}', OWN)
    dataset = 'mmdet.CocoDataset' if detector == 'retinanet' else 'mmyolo.YOLOv5CocoDataset'
    config = folder / f'own_{detector}.py'
    config.write_text(f"{BASES[detector]}custom_imports = dict(imports=['mmseam', 'own_layers'])\n"
                      f'model = dict({model})\n{_ONE_CLASS[detector]}'
                      f"{_TRAINING.format(dataset=dataset, root=folder / 'data')}")
    return config
