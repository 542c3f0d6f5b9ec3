"""Datasets of noise, and configs that train on them in seconds."""
from pathlib import Path

from coco_files import coco_box, write_coco
from wider_face_files import face, write_wider_face

NUM_IMAGES = 8
CHILD = """
_base_ = '{base}'

side = (64, 64)
affine = dict(type='YOLOv5RandomAffine', max_aspect_ratio=10, border_val=(114, 114, 114), border=(-32, -32))
pack = dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape'))
train_pipeline = [
    *_base_.pre_transform,
    dict(type='Mosaic', img_scale=side, pad_val=114.0, pre_transform=_base_.pre_transform), affine, pack
]
train_pipeline_stage2 = train_pipeline
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = side
test_pipeline[2].scale = side
loader = dict(num_workers=0, persistent_workers=False, pin_memory=False)
train_dataloader = dict(batch_size=4, **loader, dataset=dict(data_root='{data_root}', pipeline=train_pipeline))
val_dataloader = dict(**loader, dataset=dict(data_root='{data_root}', pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1, save_best=None), logger=dict(interval=1))
env_cfg = dict(cudnn_benchmark=False)
"""


def write_tiny_training(folder: Path, base: Path, num_images: int = NUM_IMAGES) -> Path:
    """Write the dataset and a config for it.

    Args:
        folder (Path): Where to.
        base (Path): A WIDER FACE config.
        num_images (int): Images of each split. Defaults to 8.

    Returns:
        Path: The config.
    """
    faces = [face(10, 10, 40, 50), face(60, 20, 30, 30, occlusion=2)]
    images = {f'0--Noise/noise_{i}.jpg': faces for i in range(num_images)}
    for split in ('train', 'val'):
        write_wider_face(folder / 'data', images, split)
    config = folder / 'tiny_face.py'
    config.write_text(CHILD.format(base=base, data_root=folder / 'data'))
    return config


COCO_CHILD = """
_base_ = '{base}'

side = (64, 64)
train_pipeline = _base_.train_pipelines.n
train_pipeline[2].img_scale = side
train_pipeline[4].border = (-32, -32)
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = side
test_pipeline[2].scale = side
data = dict(data_root='{data_root}/', data_prefix=dict(img='images/'), metainfo=dict(classes=('face', )))
loader = dict(num_workers=0, persistent_workers=False, pin_memory=False)
train_dataloader = dict(
    batch_size=4, **loader, dataset=dict(ann_file='train.json', pipeline=train_pipeline, **data))
val_dataloader = dict(**loader, dataset=dict(ann_file='val.json', pipeline=test_pipeline, **data))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file='{data_root}/val.json')
test_evaluator = val_evaluator
model = dict(bbox_head=dict(head_module=dict(num_classes=1)), train_cfg=dict(assigner=dict(num_classes=1)))
train_cfg = dict(max_epochs=1, val_interval=1)
train_pipeline_stage2 = train_pipeline
default_hooks = dict(checkpoint=dict(interval=1, save_best=None), logger=dict(interval=1))
env_cfg = dict(cudnn_benchmark=False)
"""


def write_tiny_coco_training(folder: Path, base: Path) -> Path:
    """Write a dataset of boxes without polygons in COCO's layout, and a config for it.

    Args:
        folder (Path): Where to.
        base (Path): A COCO config of size n.

    Returns:
        Path: The config.
    """
    images = {f'noise_{i}.jpg': [coco_box((10, 10, 40, 50)), coco_box((60, 20, 30, 30))] for i in range(NUM_IMAGES)}
    for name in ('train', 'val'):
        write_coco(folder / 'data', images, name=name)
    config = folder / 'tiny_coco.py'
    config.write_text(COCO_CHILD.format(base=base, data_root=folder / 'data'))
    return config
