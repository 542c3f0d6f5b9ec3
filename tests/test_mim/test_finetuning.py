"""Fine-tuning on real, partly masked faces from converted weights, by MIM."""
import json
import re

import pytest

pytestmark = pytest.mark.mim

NUM_HELD_OUT = 97
CONFIG = """
_base_ = 'mmseam::multiseam/yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface.py'

scale = (320, 320)
resize = [
    dict(type='YOLOv5KeepRatioResize', scale=scale),
    dict(type='LetterResize', scale=scale, allow_scale_up=True, pad_val=dict(img=114.0))
]
train_pipeline = [*_base_.pre_transform, *resize, *_base_.last_transform]
test_pipeline = [_base_.test_pipeline[0], *resize, *_base_.test_pipeline[-2:]]
data = dict(
    _delete_=True, type='YOLOv5CocoDataset', data_root='{root}', data_prefix=dict(img='{images}/'),
    metainfo=dict(classes=('face', )))
loader = dict(batch_size=8, num_workers=1)
train_dataloader = dict(**loader, dataset=dict(ann_file='train.json', pipeline=train_pipeline, **data))
val_dataloader = dict(**loader, dataset=dict(ann_file='val.json', pipeline=test_pipeline, test_mode=True, **data))
test_dataloader = val_dataloader
val_evaluator = [dict(type='mmdet.CocoMetric', ann_file='{root}/val.json', metric='bbox')]
test_evaluator = val_evaluator

# Small steps: the backbone is trained already.
optim_wrapper = dict(_delete_=True, type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.0005, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=40),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, T_max=3, end=3, by_epoch=True, convert_to_iter_based=True)
]
train_cfg = dict(max_epochs=3, val_interval=3)
default_hooks = dict(
    param_scheduler=dict(_delete_=True, type='ParamSchedulerHook'), checkpoint=dict(interval=3, save_best=None))
custom_hooks = []
load_from = '{start}'
"""


def split(test_data, folder):
    """Hold every seventh image out, 97 in all."""
    every = json.loads((test_data / 'masked_faces' / 'annotations.json').read_text())
    held_out = {image['id'] for image in every['images'][::7][:NUM_HELD_OUT]}
    for name, keep in (('train', lambda i: i not in held_out), ('val', held_out.__contains__)):
        part = dict(every, images=[image for image in every['images'] if keep(image['id'])],
                    annotations=[face for face in every['annotations'] if keep(face['image_id'])])
        (folder / f'{name}.json').write_text(json.dumps(part))
    assert len(held_out) == NUM_HELD_OUT


def average_precision(printed):
    return float(re.findall(r'coco/bbox_mAP: (-?[\d.]+)', printed)[-1])


@pytest.mark.parametrize('installed', ['wheel'], indirect=True)
def test_finetuning_from_pose_weights(test_data, installed, tmp_path):
    split(test_data, tmp_path)
    config, start = tmp_path / 'masked_faces.py', tmp_path / 'start.pth'
    config.write_text(CONFIG.format(root=tmp_path, images=test_data / 'masked_faces' / 'images', start=start))
    printed = installed.run('mim', 'run', 'mmseam', 'ultralytics_to_mmseam',
                            test_data / 'weights' / 'yolo11n-pose.pt', start, '--config', config, cwd=tmp_path)
    assert 'bbox_head' in printed  # the attention stays at its start, and is named
    before = average_precision(
        installed.run('python', '-c', BEFORE.format(config=str(config), folder=str(tmp_path)), cwd=tmp_path))
    printed = installed.run('mim', 'train', 'mmseam', config, '--work-dir', 'work', cwd=tmp_path, timeout=1800)
    after = average_precision(printed)
    print(f'AP on {NUM_HELD_OUT} images held out: {before:.3f} before, {after:.3f} after')
    assert before < 0.05 and after > 0.3


# tools/test.py refuses a checkpoint that does not fill the whole net, so the runner measures the start itself.
BEFORE = """
import mmseam
from mmengine.config import Config
from mmengine.runner import Runner
cfg = Config.fromfile('{config}')
cfg.work_dir = '{folder}/before'
Runner.from_cfg(cfg).test()
"""
