"""Reading of checkpoints."""
import io
import pathlib
import pickle
import sys
import zipfile

import numpy as np
import pytest
import torch
import torch.nn as nn
from conversion_cases import foreign_class, foreign_model, foreign_package

from mmseam.convert.errors import CheckpointError
from mmseam.convert.ultralytics_reader import read_ultralytics_checkpoint


def _model(value, **options):
    return foreign_model({'model.0.conv.weight': torch.full((2, 3, 1, 1), value).half()}, **options)


def _write(path, make_content):
    with foreign_package():
        torch.save(make_content(), path)
    return path


def _edit(path, edit):
    """Rewrite the archive with ``edit(name, data)`` applied to its members; None drops one."""
    with zipfile.ZipFile(path) as archive:
        members = {name: edit(name, archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w') as archive:
        for name, data in members.items():
            if data is not None:
                archive.writestr(name, data)


def test_averaged_weights_come_first(tmp_path):
    both = _write(tmp_path / 'last.pt', lambda: dict(model=_model(1.), ema=_model(2.), epoch=3))
    final = _write(tmp_path / 'best.pt', lambda: dict(model=_model(1.), ema=None, epoch=-1))
    assert read_ultralytics_checkpoint(both).state_dict['model.0.conv.weight'].unique().tolist() == [2.]
    assert read_ultralytics_checkpoint(final).state_dict['model.0.conv.weight'].unique().tolist() == [1.]


def test_state_dict_is_that_of_torch(tmp_path):
    tree = nn.Sequential(nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last), nn.BatchNorm2d(4))
    tree[1].running_mean.normal_()
    tree.register_buffer('transient', torch.zeros(2), persistent=False)
    shared = torch.arange(10.)
    tree.view = nn.Parameter(shared[2:8].view(2, 3).t())

    def content():
        model = _model(1.)
        model.model = tree
        return dict(model=model)

    state_dict = read_ultralytics_checkpoint(_write(tmp_path / 'a.pt', content)).state_dict
    expected = {f'model.{name}': tensor for name, tensor in tree.state_dict().items()}
    assert list(state_dict) == list(expected)
    for name, tensor in expected.items():
        assert torch.equal(state_dict[name], tensor)
        assert state_dict[name].is_contiguous()
        assert state_dict[name].dtype == tensor.dtype


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_floating_point_becomes_float32(tmp_path, dtype):
    values = torch.tensor([[0.5, -1.25], [3., 1024.]], dtype=dtype)
    path = _write(tmp_path / 'a.pt', lambda: dict(model=foreign_model({'model.0.weight': values})))
    assert torch.equal(read_ultralytics_checkpoint(path).state_dict['model.0.weight'], values.float())


@pytest.mark.parametrize(('kind', 'task'), [('DetectionModel', 'detect'), ('SegmentationModel', 'segment'),
                                            ('PoseModel', 'pose'), ('MyModel', 'MyModel')])
def test_description(tmp_path, kind, task):
    path = _write(tmp_path / 'a.pt', lambda: dict(
        model=_model(1., kind=kind, names=['mask', 'face'], layers=['Conv', 'Detect_MultiSEAM']), version='8.3.9',
        date='2025-01-02', license='AGPL-3.0'))
    checkpoint = read_ultralytics_checkpoint(path)
    assert (checkpoint.task, checkpoint.names, checkpoint.num_classes) == (task, ('mask', 'face'), 2)
    assert checkpoint.layers == ('Conv', 'Detect_MultiSEAM')
    assert (checkpoint.version, checkpoint.date, checkpoint.license) == ('8.3.9', '2025-01-02', 'AGPL-3.0')
    assert checkpoint.train_metrics == {}


def test_metrics_of_odd_types(tmp_path):
    def content():
        namespace = foreign_class('IterableSimpleNamespace')()
        return dict(
            model=_model(1.),
            train_args=dict(imgsz=640, data=pathlib.PurePosixPath('a/b.yaml'), extra=namespace),
            train_metrics=dict(mAP50=np.float64(0.742), images=np.int32(7), flag=np.bool_(True), cache=None,
                               data=pathlib.PurePosixPath('a/b.yaml'), extra=namespace))

    checkpoint = read_ultralytics_checkpoint(_write(tmp_path / 'a.pt', content))
    assert checkpoint.train_metrics == dict(
        mAP50=0.742, images=7, flag=True, cache=None, data=str(pathlib.PurePath('a/b.yaml')))


def test_ultralytics_is_not_imported(yolo11n_file):
    read_ultralytics_checkpoint(yolo11n_file)
    assert not any(name.startswith('ultralytics') for name in sys.modules)


def _bytes_of(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(('data', 'message'), [
    (b'', 'not a file written by torch.save'),
    (b'<html>404</html>', 'not a file written by torch.save'),
    (pickle.dumps({'model': 1}), 'not a file written by torch.save'),
    (_bytes_of(nn.Linear(2, 2).state_dict()), 'a bare state dict'),
    (_bytes_of({}), "no module under 'model'"),
    (_bytes_of(dict(model=dict(a=1))), "no module under 'model'"),
    (_bytes_of(dict(model=nn.Linear(2, 2))), 'torch.nn.modules.linear.Linear, has no list of layers'),
    (_bytes_of(torch.zeros(2)), 'not an Ultralytics checkpoint'),
])
def test_other_files(tmp_path, data, message):
    path = tmp_path / 'odd.pt'
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r'odd\.pt') as error:
        read_ultralytics_checkpoint(path)
    assert message in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.pt'):
        read_ultralytics_checkpoint(tmp_path / 'nowhere.pt')


def test_incomplete_download(tmp_path, yolo11n_file):
    data = yolo11n_file.read_bytes()
    path = tmp_path / 'half.pt'
    path.write_bytes(data[:len(data) // 2])
    with pytest.raises(CheckpointError, match=r'half\.pt: not a file written by torch\.save.* incomplete'):
        read_ultralytics_checkpoint(path)


@pytest.mark.parametrize(('edit', 'message'), [
    (lambda name, data: None if name.endswith('data/0') else data, r'data/0 is missing'),
    (lambda name, data: data[:-1] if name.endswith('data/0') else data, r'data/0 has 11 bytes'),
    (lambda name, data: b'big' if name.endswith('byteorder') else data, r'big-endian'),
    (lambda name, data: data[:200] if name.endswith('data.pkl') else data, r'damaged'),
    (lambda name, data: None if name.endswith('data.pkl') else data, r'no data\.pkl'),
    # strides of the weight from (3, 1, 1, 1) to (9, 1, 1, 1): the second filter would lie outside
    (lambda name, data: data.replace(b'(K\x03K\x01K\x01K\x01t', b'(K\x09K\x01K\x01K\x01t'), r'exceeds data/0'),
])
def test_damaged_archive(tmp_path, edit, message):
    path = _write(tmp_path / 'damaged.pt', lambda: dict(model=_model(1.)))
    _edit(path, edit)
    with pytest.raises(CheckpointError, match=rf'damaged\.pt: .*{message}'):
        read_ultralytics_checkpoint(path)


def test_compressed_archive_is_refused(tmp_path):
    path = _write(tmp_path / 'bomb.pt', lambda: dict(model=_model(1.)))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(CheckpointError, match=r'bomb\.pt: .* compressed'):
        read_ultralytics_checkpoint(path)


def test_tensor_larger_than_its_storage_is_refused(tmp_path):
    path = _write(tmp_path / 'a.pt', lambda: dict(model=foreign_model({'model.0.weight': torch.zeros(1).expand(9)})))
    with pytest.raises(CheckpointError, match='not those of its tensors'):
        read_ultralytics_checkpoint(path)


def test_modules_that_contain_themselves(tmp_path):
    def content():
        model = _model(1.)
        model.model[0]._modules['again'] = model.model
        return dict(model=model)

    with pytest.raises(CheckpointError, match="not in Ultralytics' format"):
        read_ultralytics_checkpoint(_write(tmp_path / 'a.pt', content))


@pytest.mark.parametrize(('weights', 'task', 'count', 'names', 'tensors'), [
    ('yolo11n-seg', 'segment', 80, ('person', 'bicycle'), 561),
    ('yolo11n-pose', 'pose', 1, ('person', ), 541),
    ('yolov11m-face', 'detect', 1, ('face', ), 649),
])
def test_real_files(test_data, weights, task, count, names, tensors):
    checkpoint = read_ultralytics_checkpoint(test_data / 'weights' / f'{weights}.pt')
    assert (checkpoint.task, checkpoint.num_classes, checkpoint.names[:2]) == (task, count, names)
    assert len(checkpoint.state_dict) == tensors
    if weights == 'yolov11m-face':
        assert checkpoint.train_metrics['metrics/mAP50(B)'] == 0.74226
