"""Configs of mmseam as bases in another project, and the hosts' one-line interfaces to them."""
from pathlib import Path

import numpy as np
import pytest
import torch
from config_files import CONFIGS
from mmdet.apis import DetInferencer
from mmengine import hub
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from wider_face_files import face, write_wider_face

from mmseam.models import MultiSEAM, MultiSEAMHeadModule

NAME = 'multiseam/yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface.py'
FACES = {
    f'0--Parade/{i}.jpg': [face(10 + 5 * i, 10, 30, 40), face(60, 20, 40, 50, occlusion=1)]
    for i in range(4)
}
CHILD = """
_base_ = 'mmseam::{name}'

data_root = '{root}/'
loader = dict(batch_size=2, num_workers=0, persistent_workers=False)
train_dataloader = dict(dataset=dict(data_root=data_root), **loader)
val_dataloader = dict(dataset=dict(data_root=data_root), **loader)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1, val_interval=1)
work_dir = '{root}/work'
"""


@pytest.fixture(autouse=True)
def restore_default_scope():
    """Runner and inferencer set the default scope of the process."""
    with DefaultScope.overwrite_default_scope('mmyolo'):
        yield


@pytest.fixture()
def child_config(tmp_path, monkeypatch):
    """Write a config in its own folder that inherits ours by name, with two images to train on and two to test on."""
    names = list(FACES)
    write_wider_face(tmp_path, {name: FACES[name] for name in names[:2]}, 'train')
    write_wider_face(tmp_path, {name: FACES[name] for name in names[2:]}, 'val')
    path = tmp_path / 'project' / 'child.py'
    path.parent.mkdir()
    path.write_text(CHILD.format(name=NAME, root=tmp_path.as_posix()))
    monkeypatch.chdir(tmp_path)
    return Config.fromfile(path)


def stamped(node):
    """Types of all dicts that carry the scope stamp."""
    found = []
    if isinstance(node, dict):
        found += [node['type']] if node.get('_scope_') == 'mmseam' else []
        found += [t for value in node.values() for t in stamped(value)]
    elif isinstance(node, (list, tuple)):
        found += [t for value in node for t in stamped(value)]
    return found


def test_inheritance_stamps_the_scope(child_config):
    """What makes the next test worth having: MMEngine writes `_scope_` into what is inherited."""
    types = set(stamped(child_config._cfg_dict))
    assert {'YOLODetector', 'mmseam.yolo_collate', 'mmseam.EMAHook', 'mmseam.AccumulatingOptimWrapper'} <= types


def test_inherited_config_trains_and_evaluates(child_config):
    runner = Runner.from_cfg(child_config)
    assert isinstance(runner.model.bbox_head.head_module, MultiSEAMHeadModule)
    before = {name: p.clone() for name, p in runner.model.named_parameters()}

    mosaic_batch = next(iter(runner.build_dataloader(child_config.train_dataloader)))
    assert mosaic_batch['inputs'].shape == (2, 3, 640, 640)
    assert mosaic_batch['data_samples']['bboxes_labels'].shape[1] == 6

    runner.train()  # one epoch of one step, then the validation
    assert runner.iter == 1
    hooks = {type(hook).__name__ for hook in runner.hooks}
    assert hooks >= {'EMAHook', 'CloseMosaicHook', 'BadImageHook', 'YOLOParamSchedulerHook', 'DetVisualizationHook'}
    after = dict(runner.model.named_parameters())
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert all(torch.isfinite(p).all() for p in after.values())
    assert (Path(runner.work_dir) / 'epoch_1.pth').is_file()


def test_hub_gives_config_and_model():
    cfg = hub.get_config(f'mmseam::{NAME}')
    assert cfg.filename.endswith(NAME)
    model = hub.get_model(f'mmseam::{NAME}', pretrained=False)
    assert sum(isinstance(m, MultiSEAM) for m in model.modules()) == 6


@pytest.mark.parametrize('as_path', [True, False], ids=['path', 'config'])
def test_inferencer_of_mmdet(as_path):
    path = CONFIGS / NAME
    model = str(path) if as_path else Config.fromfile(path)
    inferencer = DetInferencer(model=model, weights=None, scope='mmseam', device='cpu', show_progress=False)
    for branch in inferencer.model.bbox_head.head_module.cls_preds:
        torch.nn.init.zeros_(branch[-1].bias)
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    prediction = inferencer(image, no_save_vis=True)['predictions'][0]
    assert len(prediction['bboxes']) == len(prediction['scores']) > 0
    boxes = np.array(prediction['bboxes'])
    assert (boxes >= 0).all() and (boxes <= [160, 120, 160, 120]).all()
    assert set(prediction['labels']) == {0}


def test_inferencer_with_an_inherited_config(child_config):
    inferencer = DetInferencer(model=child_config, weights=None, scope='mmseam', device='cpu', show_progress=False)
    assert inferencer(np.zeros((64, 64, 3), np.uint8), no_save_vis=True)['predictions']
