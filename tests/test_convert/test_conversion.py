"""Conversion of whole checkpoints."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conversion_cases import (
    LAYERS,
    build,
    random_tensors,
    with_seam_head,
    write_checkpoint,
    yolo11_config,
    yolo11_shapes,
)
from mmengine.runner import load_checkpoint

from mmseam.convert.conversion import convert
from mmseam.convert.errors import CheckpointError
from mmseam.version import __version__

TOOL = Path(__file__).parents[2] / 'tools' / 'model_converters' / 'ultralytics_to_mmseam.py'
HEAD = 'bbox_head.head_module'


def _load(path):
    return torch.load(path, weights_only=True)


def _learned(names):
    return {name for name in names if not name.endswith(('running_mean', 'running_var', 'num_batches_tracked'))}


def test_plain_yolo11_without_a_config(tmp_path, yolo11n_file, yolo11n_tensors):
    report = convert(yolo11n_file, tmp_path / 'new' / 'out.pth')
    model = build(yolo11_config('n', 1))
    load_checkpoint(model, str(tmp_path / 'new' / 'out.pth'), strict=True)
    assert torch.equal(model.backbone.stem.conv.weight, yolo11n_tensors['model.0.conv.weight'].float())
    predictor = model.bbox_head.head_module.cls_preds[2][2]
    assert torch.equal(predictor.bias, yolo11n_tensors['model.23.cv3.2.2.bias'].float())
    assert set(report.taken) == set(model.state_dict())
    assert [tensor.name for tensor in report.skipped] == ['model.23.dfl.conv.weight']
    assert report.initialized is None
    assert 'size n' in report.source


def test_meta(tmp_path, yolo11n_file):
    convert(yolo11n_file, tmp_path / 'out.pth')
    meta = _load(tmp_path / 'out.pth')['meta']
    assert meta['dataset_meta'] == dict(classes=('face', ))
    assert meta['mmseam_version'] == __version__
    assert (meta['source']['file'], meta['source']['size'], meta['source']['task']) == ('yolo11n.pt', 'n', 'detect')
    assert 'AGPL-3.0' in meta['license']
    assert str(tmp_path) not in str(meta)


@pytest.mark.parametrize(('head', 'attention'), [('mmseam.SEAMHeadModule', 'body'), ('mmseam.MultiSEAMHeadModule',
                                                                                     'bodies')])
def test_plain_weights_into_an_attention_head(tmp_path, yolo11n_file, head, attention):
    config = yolo11_config('n', 1, head)
    report = convert(yolo11n_file, tmp_path / 'out.pth', config)
    names = _learned(build(config).state_dict())
    new = {name for name in names if f'.1.{attention}.' in name or '.1.gate.' in name or
           (name.startswith(f'{HEAD}.cls_preds') and name.split('.')[4] == '0')}
    assert set(report.initialized) == new
    assert set(report.taken) >= names - new
    skipped = {tensor.name.split('.')[2] + '.' + tensor.name.split('.')[4]: tensor.reason for tensor in report.skipped}
    assert {branch for branch, reason in skipped.items() if reason == 'the model has no such layer'} == {
        'cv2.1', 'cv3.0', 'cv3.1'}
    text = str(report)
    assert f'{HEAD}.cls_preds.*.1: ' in text
    assert 'model.23.cv3.*.0: 36 tensors, the model has no such layer' in text
    assert f'initialization: {sum(report.initialized.values()):,} parameters' in text


def test_kept_stems_take_the_whole_head(tmp_path, yolo11n_file, yolo11n_tensors):
    config = yolo11_config('n', 1, 'mmseam.SEAMHeadModule', keep_reg_stem=True, keep_cls_stem=True)
    report = convert(yolo11n_file, tmp_path / 'out.pth', config)
    state_dict = _load(tmp_path / 'out.pth')['state_dict']
    assert torch.equal(state_dict[f'{HEAD}.cls_preds.1.2.weight'], yolo11n_tensors['model.23.cv3.1.2.weight'].float())
    assert {name.split('.')[4] for name in report.initialized} == {'attention'}
    assert all('cv4' in tensor.name or 'dfl' in tensor.name for tensor in report.skipped)


def test_seam_checkpoint_of_the_article(tmp_path):
    tensors = random_tensors(with_seam_head(yolo11_shapes('n', 2), (64, 128, 256)))
    write_checkpoint(tmp_path / 'seam.pt', tensors, layers=[*LAYERS[:-1], 'Detect_SEAM'], names=('bare', 'masked'))
    config = yolo11_config('n', 2, 'mmseam.SEAMHeadModule')
    report = convert(tmp_path / 'seam.pt', tmp_path / 'out.pth', config)
    assert report.initialized == {}
    model = build(config)
    load_checkpoint(model, str(tmp_path / 'out.pth'), strict=True)
    gate = model.bbox_head.head_module.reg_preds[1][1].gate.fc2.weight
    assert torch.equal(gate, tensors['model.23.cv2.1.1.fc.2.weight'].float())


def test_other_number_of_classes(tmp_path, yolo11n_file):
    report = convert(yolo11n_file, tmp_path / 'out.pth', yolo11_config('n', 3))
    predictor = {f'{HEAD}.cls_preds.{level}.2.{part}' for level in range(3) for part in ('weight', 'bias')}
    assert set(report.initialized) == predictor
    reasons = {tensor.reason for tensor in report.skipped if tensor.name.startswith('model.23.cv3')}
    assert reasons == {'shape (1, 64, 1, 1), the model has (3, 64, 1, 1)'}
    assert 'dataset_meta' not in _load(tmp_path / 'out.pth')['meta']  # the classes are not those of the file


def test_neck_list_and_backbone_plugins(tmp_path, yolo11n_file):
    config = yolo11_config('n', 1)
    config.model.backbone.plugins = [dict(cfg=dict(type='mmseam.SEAM'))]
    config.model.neck = [config.model.neck, dict(
        type='mmseam.AttentionNeck', in_channels=[64, 128, 256], attention_cfg=dict(type='mmseam.SEAM'))]
    report = convert(yolo11n_file, tmp_path / 'out.pth', config)
    assert {name.rpartition('.body.')[0] or name.rpartition('.gate.')[0] for name in report.initialized} == {
        'backbone.stage1.2', 'backbone.stage2.2', 'backbone.stage3.2', 'backbone.stage4.4', 'neck.1.layers.0',
        'neck.1.layers.1', 'neck.1.layers.2'}
    assert any(name.startswith('neck.0.top_down_layers.0.') for name in report.taken)


def test_config_file(tmp_path, yolo11n_file):
    yolo11_config('n', 1).dump(tmp_path / 'config.py')
    assert convert(yolo11n_file, tmp_path / 'out.pth', tmp_path / 'config.py').initialized == {}


def test_model_of_another_size_is_refused(tmp_path, yolo11n_file):
    with pytest.raises(CheckpointError, match=r'yolo11n\.pt: it \(YOLO11, size n.* does not fit .*YOLO11CSPDarknet'):
        convert(yolo11n_file, tmp_path / 'out.pth', yolo11_config('s', 1))
    assert not (tmp_path / 'out.pth').exists()


def test_model_of_another_architecture_is_refused(tmp_path, yolo11n_file):
    config = yolo11_config('n', 1)
    # It shares a few names and shapes with YOLO11n by chance.
    config.model.backbone = dict(type='YOLOv8CSPDarknet', deepen_factor=0.33, widen_factor=0.5)
    with pytest.raises(CheckpointError, match='does not fit .* YOLOv8CSPDarknet'):
        convert(yolo11n_file, tmp_path / 'out.pth', config)


def test_config_without_a_model(tmp_path, yolo11n_file):
    (tmp_path / 'config.py').write_text('lr = 1\n')
    with pytest.raises(ValueError, match=r'config\.py: no `model`'):
        convert(yolo11n_file, tmp_path / 'out.pth', tmp_path / 'config.py')


def _drop_norms(tensors):
    kept = {name: tensor for name, tensor in tensors.items() if '.bn.' not in name}
    return {**kept, 'model.0.conv.bias': torch.zeros(16)}


@pytest.mark.parametrize(('layers', 'change', 'message'), [
    (('Conv', 'Conv', 'C2f', *LAYERS[3:]), dict, 'not a YOLO11: layer 2 is C2f where YOLO11 has C3k2'),
    ((*LAYERS[:10], *LAYERS[11:]), dict, 'layer 10 is Upsample where YOLO11 has C2PSA .*23 layers with'),
    ((*LAYERS[:23], 'Conv', 'Detect'), dict, 'layer 23 is Conv where YOLO11 has nothing'),
    (LAYERS[:10], dict, 'layer 9 is nothing where YOLO11 has SPPF'),
    (LAYERS, _drop_norms, 'BatchNorm layers are fused'),
    (LAYERS, lambda tensors: {**tensors, 'model.22.m.0.1.attn.qkv.conv.weight': torch.zeros(1)},
     r'not a YOLO11: it has model\.22\.m\.0\.1\.attn\.qkv'),
    (LAYERS, lambda tensors: {name: tensor for name, tensor in tensors.items() if '.cv3.2.2.' not in name},
     r'head Detect has no model\.23\.cv3\.2\.2\.weight'),
])
def test_other_architectures_are_refused(tmp_path, yolo11n_tensors, layers, change, message):
    tensors = change(yolo11n_tensors)
    present = {name: tensor for name, tensor in tensors.items() if int(name.split('.')[1]) < len(layers)}
    write_checkpoint(tmp_path / 'other.pt', present, layers=layers)
    with pytest.raises(CheckpointError, match=rf'other\.pt: .*{message}'):
        convert(tmp_path / 'other.pt', tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


def test_source_is_never_overwritten(yolo11n_file):
    before = yolo11n_file.read_bytes()
    with pytest.raises(CheckpointError, match='same file'):
        convert(yolo11n_file, yolo11n_file)
    assert yolo11n_file.read_bytes() == before


def test_failed_write_leaves_the_old_file(tmp_path, yolo11n_file, monkeypatch):
    target = tmp_path / 'out.pth'
    target.write_bytes(b'old')

    def fail(content, file):
        file.write(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(torch, 'save', fail)
    with pytest.raises(OSError, match='disk full'):
        convert(yolo11n_file, target)
    assert target.read_bytes() == b'old'
    assert [path.name for path in tmp_path.iterdir()] == ['out.pth']


def _run_tool(*args):
    root = str(TOOL.parents[2])
    return subprocess.run([sys.executable, str(TOOL), *map(str, args)], capture_output=True, text=True,
                          env={**os.environ, 'PYTHONPATH': root})


def test_tool(tmp_path, yolo11n_file):
    config = yolo11_config('n', 1, 'mmseam.SEAMHeadModule')
    config.dump(tmp_path / 'config.py')
    done = _run_tool(yolo11n_file, tmp_path / 'out.pth', '--config', tmp_path / 'config.py')
    assert done.returncode == 0, done.stderr
    assert 'left at their initialization' in done.stdout
    assert f'{HEAD}.reg_preds.*.1' in done.stdout
    assert set(_load(tmp_path / 'out.pth')) == {'meta', 'state_dict'}


OWN_HEAD = """
_base_ = 'mmseam::yolo11/yolo11_n_fast_1xb16-100e_custom-coco.py'
custom_imports = dict(imports=['layers_beside_the_config'])
model = dict(bbox_head=dict(head_module=dict(
    type='mmseam.AttentionHeadModule', keep_reg_stem=True, keep_cls_stem=True,
    attention_cfg=dict(type='mmseam.Shift'))))
"""
OWN_LAYER = """
import torch
from mmseam.registry import MODELS

@MODELS.register_module()
class Shift(torch.nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.amount = torch.nn.Parameter(torch.zeros(in_channels, 1, 1))

    def forward(self, x):
        return x + self.amount
"""


def test_tool_finds_layers_beside_the_config(tmp_path, yolo11n_file):
    (tmp_path / 'head.py').write_text(OWN_HEAD)
    done = _run_tool(yolo11n_file, tmp_path / 'out.pth', '--config', tmp_path / 'head.py')
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith('error: ')
    assert 'layers_beside_the_config' in done.stderr and 'Traceback' not in done.stderr
    (tmp_path / 'layers_beside_the_config.py').write_text(OWN_LAYER)
    done = _run_tool(yolo11n_file, tmp_path / 'out.pth', '--config', tmp_path / 'head.py')
    assert done.returncode == 0, done.stderr
    assert f'{HEAD}.reg_preds: 192 in 3 tensors' in done.stdout
    taken = _load(tmp_path / 'out.pth')['state_dict']
    assert f'{HEAD}.reg_preds.0.0.conv.weight' in taken
    assert not any('attention' in name for name in taken)


def test_tool_reports_bad_input_in_one_line(tmp_path):
    (tmp_path / 'odd.pt').write_bytes(b'no checkpoint')
    done = _run_tool(tmp_path / 'odd.pt', tmp_path / 'out.pth')
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(f'error: {tmp_path / "odd.pt"}: not a file written')
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize(('weights', 'size', 'num_classes', 'extra'), [
    ('yolo11n-seg', 'n', 80, {'cv4', 'dfl', 'proto'}),
    ('yolo11n-pose', 'n', 1, {'cv4', 'dfl'}),
    ('yolov11m-face', 'm', 1, {'dfl'}),
])
def test_real_files(test_data, tmp_path, weights, size, num_classes, extra):
    report = convert(test_data / 'weights' / f'{weights}.pt', tmp_path / 'out.pth', yolo11_config(size, num_classes))
    assert report.initialized == {}
    assert f'size {size}' in report.source
    assert {tensor.name.split('.')[2] for tensor in report.skipped} == extra
