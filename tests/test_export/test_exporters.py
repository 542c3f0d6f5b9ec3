"""Files of each format give PyTorch's numbers, and nothing is left of those that do not."""
import numpy as np
import pytest
import torch
from full_disk import small_files
from small_detector import SIZE

from mmseam.export.detector_export import export_detector
from mmseam.export.export_model import ExportModel
from mmseam.export.exporters import EXPORTERS
from mmseam.export.verification import VerificationError
from mmseam.inference.backends import load_backend
from mmseam.utils.atomic_write import NoSpaceError

pytest.importorskip('onnx')
pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')

SIZES = [(1, *SIZE), (2, 640, 192), (1, 64, 64)]


def assert_equal(backend, detector, images):
    with torch.no_grad():
        wanted = ExportModel(detector)(images)
    for found, output, tolerance in zip(backend(images.numpy()), wanted, (.01, 1e-4)):
        np.testing.assert_allclose(found, output.numpy(), atol=tolerance, rtol=0)


@pytest.mark.parametrize('suffix', ['.onnx', '.torchscript', '.xml'])
def test_fixed_size(tmp_path, detector, metadata, noise, suffix):
    if suffix == '.xml':
        pytest.importorskip('openvino')
    state = {name: value.clone() for name, value in detector.state_dict().items()}
    differences = export_detector(detector, metadata(), tmp_path / f'small{suffix}')
    assert differences.images == 4
    assert differences.detections > 100
    backend = load_backend(tmp_path / f'small{suffix}')
    assert backend.metadata == metadata()
    assert_equal(backend, detector, noise(1, *SIZE))
    assert {path.suffix for path in tmp_path.iterdir()} == {suffix, '.bin'} - ({'.bin'} if suffix != '.xml' else set())
    assert detector.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in detector.state_dict().items())


@pytest.mark.parametrize('suffix', ['.onnx', '.pt2'])
def test_free_sizes(tmp_path, detector, metadata, noise, suffix):
    export_detector(detector, metadata(dynamic=True), tmp_path / f'small{suffix}')
    backend = load_backend(tmp_path / f'small{suffix}')
    for size in SIZES:
        assert_equal(backend, detector, noise(*size))


def test_onnx_tells_nothing_about_the_machine(tmp_path, detector, metadata, repo):
    export_detector(detector, metadata(), tmp_path / 'small.onnx')
    assert str(repo).encode() not in (tmp_path / 'small.onnx').read_bytes()


def test_old_pytorch_is_refused(tmp_path, detector, metadata, monkeypatch):
    monkeypatch.setattr(torch.onnx, 'export', lambda model, args, f: None)  # as in PyTorch 2.1
    monkeypatch.setattr(torch, '__version__', '2.1.2')
    with pytest.raises(ImportError, match=r'PyTorch 2\.1\.2 is too old to export .*; update it: pip install -U torch'):
        export_detector(detector, metadata(), tmp_path / 'small.pt2')
    assert not list(tmp_path.iterdir())


def test_nothing_is_on_the_terminal(tmp_path, detector, metadata, capfd):
    EXPORTERS['.onnx'](ExportModel(detector, SIZE).eval(), metadata(), tmp_path / 'small.onnx')
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('name, changes, message', [
    ('a.tflite', {}, 'the suffix must be one of .onnx'),
    ('a.pt2', dict(has_nms=True), 'NMS can be part of'),
    ('a.torchscript', dict(dynamic=True), 'a TorchScript file has a fixed size'),
])
def test_impossible_wishes(tmp_path, detector, metadata, name, changes, message):
    with pytest.raises(ValueError, match=message):
        export_detector(detector, metadata(**changes), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('output, message', [(0, 'boxes by 1 pixels'), (1, 'scores by 0.5')])
def test_wrong_files_are_not_kept(tmp_path, detector, metadata, monkeypatch, output, message):
    def wrong(model, metadata, path):
        forward = model.forward
        model.forward = lambda images: tuple(
            value + (1, .5)[output] * (place == output) for place, value in enumerate(forward(images)))
        right(model, metadata, path)

    right = EXPORTERS['.torchscript']
    monkeypatch.setitem(EXPORTERS, '.torchscript', wrong)
    with pytest.raises(VerificationError, match=message):
        export_detector(detector, metadata(), tmp_path / 'small.torchscript')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('suffix', ['.onnx', '.torchscript', '.pt2', '.xml'])
def test_a_full_disk_is_an_error_and_the_earlier_file_stays(tmp_path, detector, metadata, suffix):
    path = tmp_path / f'small{suffix}'
    path.write_text('the earlier one')
    with small_files(), pytest.raises(NoSpaceError, match=f'{path}.*and run again'):
        export_detector(detector, metadata(), path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name] and path.read_text() == 'the earlier one'
