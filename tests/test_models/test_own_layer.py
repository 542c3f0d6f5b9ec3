"""A layer of a user's own, in a module beside the config, in head, neck and backbone of three detectors."""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import CheckpointLoader
from own_layer import BASES, COUNTS, LAYERS, OWN, PLACES, write_own_training
from tool_processes import ROOT

from mmseam.analysis.check_config import check_config
from mmseam.models import SEAM, MultiSEAM
from mmseam.utils.config import ConfigError, load_config

#: Lines of the config, and the number of layers that they put in.
CASES = {(detector, place): (f'{BASES[detector]}model = dict({PLACES[detector][place]})', count)
         for detector, counts in COUNTS.items() for place, count in counts.items()}
PLUGIN, NECK = (CASES['retinanet', place][0] for place in ('backbone', 'neck'))


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
    config = write_config(tmp_path, PLUGIN, layer)
    model = build(config, monkeypatch, tmp_path)
    assert sum(isinstance(module, kind) for module in model.backbone.modules()) == 3
    config = write_config(tmp_path, NECK, layer)
    inferencer = DetInferencer(str(config), device='cpu', show_progress=False)
    assert sum(isinstance(module, kind) for module in inferencer.model.neck.modules()) == 5
    found = inferencer(np.zeros((64, 64, 3), np.uint8), no_save_vis=True)
    assert set(found['predictions'][0]) == {'labels', 'scores', 'bboxes'}


@pytest.mark.parametrize('command', [['-m', 'mmseam', 'train'], [ROOT / 'tools' / 'train.py']], ids=['mmseam', 'tool'])
@pytest.mark.parametrize('detector', ['yolo11', *(pytest.param(name, marks=pytest.mark.slow)
                                                  for name in ('yolov8', 'retinanet'))])
def test_trainings_with_an_own_layer(detector, command, tmp_path):
    """In all three places at once, without PYTHONPATH and from another folder than that of the config."""
    config = write_own_training(tmp_path / 'research', detector)
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    done = subprocess.run([sys.executable, *map(str, command), config, '--work-dir', tmp_path / 'work'], cwd=tmp_path,
                          env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    trained = CheckpointLoader.load_checkpoint(str(tmp_path / 'work' / 'epoch_1.pth'))['state_dict']
    assert sum(name.endswith('gate.1.weight') for name in trained) == sum(COUNTS[detector].values())


def test_a_module_that_an_installed_one_hides_is_named(tmp_path):
    (tmp_path / 'packaging.py').write_text('own = True\n')
    config = tmp_path / 'a.py'
    config.write_text("custom_imports = dict(imports=['packaging'])\n")
    with pytest.raises(ConfigError, match=f"names 'packaging', but Python has imported .* instead of {tmp_path}"):
        load_config(config)
