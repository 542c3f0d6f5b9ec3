"""The way of a checkpoint out of the repository: tools/deployment/export.py, then tools/predict.py on its files."""
import json
from pathlib import Path

import pytest
import torch
from real_detection import run
from tiny_training import NUM_IMAGES, write_tiny_training

from mmseam.registry import MODELS
from mmseam.utils import register_all_modules
from mmseam.utils.config import load_config

pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')

ROOT = Path(__file__).resolve().parent.parent.parent
BASE = ROOT / 'configs/multiseam/yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface.py'
EXPORT, PREDICT = ROOT / 'tools/deployment/export.py', ROOT / 'tools/predict.py'


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    """Folder of a config, a checkpoint of random weights and its files, and what the tool said."""
    folder = tmp_path_factory.mktemp('export')
    config = write_tiny_training(folder, BASE)
    register_all_modules()
    torch.manual_seed(0)
    model = MODELS.build(load_config(config).model)
    torch.save(dict(state_dict=model.state_dict()), folder / 'tiny.pth')
    images = folder / 'data/WIDER_val/images'
    text = run(EXPORT, config, folder / 'tiny.pth', '--images', images, '--int8', '--calibration', images, '--ap')
    return folder, images, text


def test_report(exported):
    folder, _, text = exported
    assert f'{folder}/tiny.onnx' in text
    assert 'input 64x64' in text
    assert f'({NUM_IMAGES} images' in text
    assert 'coco/bbox_mAP' in text
    assert 'by 8 bits' in text
    # A quarter of the quantized part; the attention, a large part of so small a net, is in float
    assert (folder / 'tiny_int8.onnx').stat().st_size < .7 * (folder / 'tiny.onnx').stat().st_size


def test_files_predict_what_the_checkpoint_does(exported, tmp_path):
    folder, images, _ = exported
    models, found = dict(pytorch=[folder / 'tiny_face.py', folder / 'tiny.pth'], onnx=[folder / 'tiny.onnx']), {}
    for name, model in models.items():
        run(PREDICT, images, *model, '--square', '--score-thr', '.01', '--json', tmp_path / f'{name}.json')
        found[name] = json.loads((tmp_path / f'{name}.json').read_text())
    assert len(found['onnx']) == NUM_IMAGES
    for expected, image in zip(found['pytorch'], found['onnx']):
        assert len(image['detections']) == len(expected['detections']) > 0
        for one, other in zip(image['detections'], expected['detections']):
            assert one['score'] == pytest.approx(other['score'], abs=1e-3)


def test_errors_are_told_without_a_trace(exported):
    folder, _, _ = exported
    with pytest.raises(AssertionError, match='error: .*tiny.unknown'):
        run(EXPORT, folder / 'tiny_face.py', folder / 'tiny.pth', '--out', folder / 'tiny.unknown')
