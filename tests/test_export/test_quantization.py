"""Eight bits change little, decoding stays in float, and nothing is left of what fails."""
import numpy as np
import pytest
from small_detector import SIZE

from mmseam.export.detector_export import export_detector
from mmseam.export.quantization import float_nodes, quantize_onnx
from mmseam.inference.backends import load_backend

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')


@pytest.fixture(scope='module')
def source(tmp_path_factory, detector, metadata):
    path = tmp_path_factory.mktemp('float') / 'small.onnx'
    export_detector(detector, metadata(), path)
    return path


@pytest.fixture(scope='module')
def images():
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*SIZE, 3), np.uint8) for _ in range(4)]


def test_quantized_file(tmp_path, source, images):
    path = tmp_path / 'small_int8.onnx'
    assert quantize_onnx(source, path, iter(images)) == 4
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    exact, quantized = load_backend(source), load_backend(path)
    assert quantized.metadata == exact.metadata
    inputs = images[0].transpose(2, 0, 1)[None].astype(np.float32) / 255
    (boxes, scores), (found_boxes, found_scores) = exact(inputs), quantized(inputs)
    assert 0 < np.abs(found_scores - scores).max() < .3
    assert np.corrcoef(found_scores.ravel(), scores.ravel())[0, 1] > .98
    assert np.corrcoef(found_boxes.ravel(), boxes.ravel())[0, 1] > .98
    weights = {item.data_type for item in onnx.load(str(path)).graph.initializer if item.name.endswith('_quantized')}
    assert onnx.TensorProto.INT8 in weights


def test_decoding_stays_in_float(source):
    model = onnx.load(str(source))
    names = set(float_nodes(model))
    operators = {node.op_type for node in model.graph.node if node.name in names}
    assert 'Softmax' in operators
    last_convolution = max(i for i, node in enumerate(model.graph.node) if node.op_type == 'Conv')
    assert model.graph.node[last_convolution].name in names
    assert {node.name for node in model.graph.node[last_convolution:]} <= names
    assert model.graph.node[0].name not in names


def test_no_images(tmp_path, source):
    with pytest.raises(ValueError, match='no images to calibrate'):
        quantize_onnx(source, tmp_path / 'small_int8.onnx', [])
    assert not list(tmp_path.iterdir())
