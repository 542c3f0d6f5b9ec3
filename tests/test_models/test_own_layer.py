"""A layer of a user's own, in a module beside the config, in head, neck and backbone of three detectors."""
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.registry import MODELS, DefaultScope
from tiny_training import write_tiny_training
from tool_processes import ROOT

from mmseam.analysis.check_config import check_config
from mmseam.models import SEAM, MultiSEAM
from mmseam.utils.config import ConfigError, load_config

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
ON_RETINANET = "_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'\n"
BASES = dict(
    yolo11="_base_ = 'mmseam::yolo11/yolo11_n_syncbn_fast_8xb16-500e_coco.py'\n",
    yolov8="_base_ = 'mmyolo::yolov8/yolov8_n_syncbn_fast_8xb16-500e_coco.py'\n",
    retinanet=ON_RETINANET)
YOLO = dict(
    head="model = dict(bbox_head=dict(head_module=dict(type='mmseam.AttentionHeadModule', attention_cfg={})))",
    neck="model = dict(neck=[_base_.model.neck, dict(type='mmseam.AttentionNeck', widen_factor=0.25, "
         'in_channels=[256, 512, 1024], attention_cfg={})])',
    backbone='model = dict(backbone=dict(plugins=[dict(cfg={}, stages=(False, True, True, True))]))')
RETINANET = dict(
    head="model = dict(bbox_head=dict(type='OwnRetinaHead'))",
    neck="model = dict(neck=[_base_.model.neck, dict(type='mmseam.AttentionNeck', in_channels=[256] * 5, "
         'attention_cfg={})])',
    backbone="model = dict(backbone=dict(plugins=[dict(cfg={}, stages=(False, False, False, True), "
             "position='after_conv2')]))")
#: Lines of the config, and the number of layers that they put in.
CASES = {
    **{(base, place): (BASES[base] + YOLO[place], count) for base in ('yolo11', 'yolov8')
       for place, count in dict(head=6, neck=3, backbone=3).items()},
    **{('retinanet', place): (ON_RETINANET + RETINANET[place], count)
       for place, count in dict(head=1, neck=5, backbone=3).items()},
}


def write_config(folder: Path, text: str, layer: str = OWN) -> Path:
    config = folder / 'own_config.py'
    config.write_text(text.replace('{}', layer))
    return config


def build(config: Path, monkeypatch, tmp_path) -> torch.nn.Module:
    """Build and run the model from another folder than that of the config."""
    monkeypatch.chdir(tmp_path)
    cfg = load_config(config)
    cfg.model.backbone.init_cfg = None  # no pretrained weights
    check_config(cfg)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model).eval()
    with torch.no_grad():
        outputs = model(torch.zeros(1, 3, 64, 64), mode='tensor')
    assert all(torch.isfinite(level).all() for part in outputs for level in part)
    return model


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Folder of a user's configs with a module beside them, which is on no path."""
    folder = tmp_path_factory.mktemp('research')
    (folder / 'own_layers.py').write_text(LAYERS)
    assert not any(Path(name).resolve() == folder.resolve() for name in sys.path)
    return folder


@pytest.mark.parametrize('case', CASES, ids='-'.join)
def test_own_layer(folder, monkeypatch, tmp_path, case):
    text, count = CASES[case]
    config = write_config(folder, f"{text}\ncustom_imports = dict(imports=['own_layers'])\n")
    model = build(config, monkeypatch, tmp_path)
    assert sum(type(layer).__name__ == 'OwnSE' for layer in model.modules()) == count


@pytest.mark.parametrize('kind', [SEAM, MultiSEAM], ids=lambda kind: kind.__name__)
def test_own_types_have_one_name_in_every_scope(monkeypatch, tmp_path, kind):
    """In mmdet's, as plugin of a ResNet and in the neck of RetinaNet."""
    layer = f"dict(type='mmseam.{kind.__name__}')"
    config = write_config(tmp_path, ON_RETINANET + RETINANET['backbone'], layer)
    model = build(config, monkeypatch, tmp_path)
    assert sum(isinstance(module, kind) for module in model.backbone.modules()) == 3
    config = write_config(tmp_path, ON_RETINANET + RETINANET['neck'], layer)
    inferencer = DetInferencer(str(config), device='cpu', show_progress=False)
    assert sum(isinstance(module, kind) for module in inferencer.model.neck.modules()) == 5
    found = inferencer(np.zeros((64, 64, 3), np.uint8), no_save_vis=True)
    assert set(found['predictions'][0]) == {'labels', 'scores', 'bboxes'}


def test_own_layer_by_the_tools(tmp_path):
    """In the current folder or beside the config, without PYTHONPATH."""
    folder = tmp_path / 'research'
    folder.mkdir()
    (folder / 'own_layers.py').write_text(LAYERS)
    tiny = write_tiny_training(folder, ROOT / 'configs/yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py', 4)
    config = write_config(folder, f"_base_ = '{tiny}'\n{YOLO['head']}\ncustom_imports = dict(imports=['own_layers'])\n")
    for command in (['-m', 'mmseam', 'summary', config],
                    [ROOT / 'tools' / 'train.py', config, '--work-dir', tmp_path / 'work']):
        done = subprocess.run([sys.executable, *map(str, command)], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()


def test_a_module_that_an_installed_one_hides_is_named(tmp_path):
    (tmp_path / 'packaging.py').write_text('own = True\n')
    config = tmp_path / 'a.py'
    config.write_text("custom_imports = dict(imports=['packaging'])\n")
    with pytest.raises(ConfigError, match=f"names 'packaging', but Python has imported .* instead of {tmp_path}"):
        load_config(config)
