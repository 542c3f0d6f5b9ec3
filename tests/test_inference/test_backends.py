"""Each engine runs the same small model, and says clearly what is wrong with a file or an image."""
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from exported_models import BOXES, TEST_CFG, WRITERS, image, metadata_texts, write_onnx, write_onnx_with_nms

from mmseam.apis import load_detector
from mmseam.inference.backends import ExportedModelError, is_exported, load_backend
from mmseam.inference.backends.cpu_cores import available_cores
from mmseam.inference.metadata import ModelMetadata

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

# Sums of 64·64 such values are exact
SCORES = [[.875, .75, .25], [.5, .625, .0625]]


@pytest.fixture(scope='module', params=WRITERS)
def path(request, tmp_path_factory):
    """Export a static model to each kind of file."""
    if request.param == '.xml':
        pytest.importorskip('openvino')
    return WRITERS[request.param](tmp_path_factory.mktemp('models') / f'tiny{request.param}')


@pytest.fixture(scope='module')
def images():
    return np.stack([image(*scores) for scores in SCORES])


def test_boxes_and_scores(path, images):
    backend = load_backend(path)
    boxes, scores = backend(images)
    assert boxes.dtype == scores.dtype == np.float32
    np.testing.assert_array_equal(boxes, [BOXES, BOXES])
    np.testing.assert_array_equal(scores[..., 0], SCORES)
    first = boxes.copy()
    backend(1 - images)
    np.testing.assert_array_equal(boxes, first, 'a later run changes the results of an earlier one')


def test_metadata(path):
    assert load_backend(path).metadata == ModelMetadata.from_strings(metadata_texts())


def test_detections(path, images):
    first, second = load_backend(path, num_threads=1).detect(images)
    np.testing.assert_array_equal(first, [[*BOXES[0], .875, 0], [*BOXES[2], .25, 0]])
    # The second box is the better one here, and the third is under the threshold
    np.testing.assert_array_equal(second, [[*BOXES[1], .625, 0]])
    assert first.dtype == np.float32


def test_other_settings_of_the_post_processing(path, images):
    found = load_backend(path).detect(images, dict(TEST_CFG, score_thr=.7, nms=dict(type='nms', iou_threshold=.9)))
    np.testing.assert_array_equal(found[0][:, 4], [.875, .75])
    assert found[1].shape == (0, 6)


def test_a_static_model_runs_once_for_each_image(tmp_path, images, monkeypatch):
    sizes = []
    backend = load_backend(write_onnx(tmp_path / 'tiny.onnx'))
    run = backend._run
    monkeypatch.setattr(backend, '_run', lambda batch: sizes.append(len(batch)) or run(batch))
    assert len(backend(images)[0]) == 2
    assert sizes == [1, 1]


def test_a_dynamic_model_takes_the_batch_in_one_run_and_any_size(tmp_path, monkeypatch):
    sizes = []
    backend = load_backend(write_onnx(tmp_path / 'tiny.onnx', dynamic=True))
    run = backend._run
    monkeypatch.setattr(backend, '_run', lambda batch: sizes.append(len(batch)) or run(batch))
    boxes, scores = backend(np.stack([image(*values, size=(96, 32)) for values in SCORES]))
    assert sizes == [2]
    assert boxes.shape == (2, 3, 4)
    np.testing.assert_allclose(scores[..., 0], SCORES, rtol=1e-6)
    with pytest.raises(ExportedModelError, match='multiples of 32 pixels, got 96 high and 40 wide'):
        backend(image(0, 0, 0, size=(96, 40))[None])


@pytest.mark.parametrize('dynamic', [False, True])
def test_nms_in_the_graph(tmp_path, images, dynamic):
    rows = np.array([[1, 2, 3, 4, .5, 0], [5, 6, 7, 8, .25, 0], [9, 10, 11, 12, .125, 0]])
    ids = np.array([1, 0, 1] if dynamic else [0, 0, 0])
    backend = load_backend(write_onnx_with_nms(tmp_path / 'tiny.onnx', rows, ids, dynamic=dynamic))
    found = backend.detect(np.zeros_like(images), test_cfg=TEST_CFG)
    for detections, expected in zip(found, (rows[[1]], rows[[0, 2]]) if dynamic else (rows, rows)):
        np.testing.assert_array_equal(detections, expected)
    with pytest.raises(ExportedModelError, match='use detect'):
        backend(images)
    with pytest.raises(ExportedModelError, match='cannot be changed; export the model without NMS'):
        backend.detect(images, dict(TEST_CFG, score_thr=.5))


@pytest.mark.parametrize('wrong, message', [
    (np.zeros((1, 3, 64, 96), np.float32), '64 pixels high and 64 wide, got 64 and 96; letterbox'),
    (np.zeros((1, 3, 64, 64), np.uint8), 'takes float32 images .* got uint8'),
    (np.zeros((3, 64, 64), np.float32), r'got float32 \(3, 64, 64\)'),
    (np.zeros((1, 1, 64, 64), np.float32), r'got float32 \(1, 1, 64, 64\)'),
])
def test_wrong_images_are_refused(tmp_path, wrong, message):
    backend = load_backend(write_onnx(tmp_path / 'tiny.onnx'))
    with pytest.raises(ExportedModelError, match=message):
        backend(wrong)
    with pytest.raises(ExportedModelError, match='tiny.onnx'):
        backend.detect(wrong)


def test_a_truncated_file_is_refused(path, tmp_path):
    broken = tmp_path / f'broken{path.suffix}'
    broken.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ExportedModelError, match=r'(?s)broken\..*export it again'):
        load_backend(broken)


def test_a_file_without_our_metadata_is_refused(tmp_path):
    path = write_onnx(tmp_path / 'foreign.onnx', texts=dict(author='somebody'))
    with pytest.raises(ExportedModelError, match='foreign.onnx: the metadata lack .*tools/deployment/export.py'):
        load_backend(path)


@pytest.mark.parametrize('suffix', WRITERS)
@pytest.mark.parametrize('value', ["open({!r}, 'w')", "__import__('os').system('touch ' + {!r})"])
def test_metadata_are_not_executed(tmp_path, suffix, value):
    """Mmcv evaluates an unknown kind of suppression as Python, when the first boxes are found."""
    if suffix == '.xml':
        pytest.importorskip('openvino')
    marker = tmp_path / 'marker'
    settings = dict(TEST_CFG, nms=dict(type=value.format(str(marker)), iou_threshold=.5))
    path = WRITERS[suffix](tmp_path / f'evil{suffix}', hostile=dict(test_cfg=json.dumps(settings)))
    with pytest.raises(ExportedModelError, match=rf"evil\{suffix}: .*test_cfg.nms.type must be 'nms' or 'soft_nms'"):
        load_detector(path)(np.full((64, 64, 3), 200, np.uint8))
    assert not marker.exists()


def test_tool_refuses_hostile_metadata_in_one_line(tmp_path):
    marker = tmp_path / 'marker'
    settings = dict(TEST_CFG, nms=dict(type=f"open({str(marker)!r}, 'w')"))
    path = write_onnx(tmp_path / 'evil.onnx', hostile=dict(test_cfg=json.dumps(settings)))
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((64, 64, 3), 200, np.uint8))
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, 'tools/predict.py', str(tmp_path / 'a.png'), str(path)], cwd=root,
                          capture_output=True, text=True)
    assert done.returncode == 1 and not marker.exists(), done.stderr
    assert f'error: {path}: the metadata are damaged: test_cfg.nms.type' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('changes', [
    dict(classes=('a', 'b')),  # the network gives scores of one
    dict(has_nms=True),  # it gives boxes and scores
])
def test_outputs_are_those_that_the_metadata_promise(tmp_path, changes):
    backend = load_backend(write_onnx(tmp_path / 'odd.onnx', **changes))
    with pytest.raises(ExportedModelError, match='odd.onnx: the outputs do not match the metadata'):
        backend.detect(np.zeros((1, 3, 64, 64), np.float32))


@pytest.mark.parametrize('row', [[8, 8, 24, 24, .5, 1], [8, 8, 24, 24, .5, -1], [8, 8, 24, np.inf, .5, 0],
                                 [8, 8, 24, 24, np.nan, 0], [8, 8, 24, 24, .5, .5]])
def test_detections_of_classes_that_are_not_there_are_refused(tmp_path, row):
    path = write_onnx_with_nms(tmp_path / 'odd.onnx', np.array([row]), np.zeros(1))
    with pytest.raises(ExportedModelError, match='invalid for 1 classes'):
        load_detector(path)(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize('suffix, is_program', [('.torchscript', True), ('.pt2', True), ('.onnx', False)])
def test_programs_are_named_as_such(tmp_path, suffix, is_program, monkeypatch):
    lines = []
    monkeypatch.setattr('mmseam.inference.backends.print_log', lambda line, **_: lines.append(line))
    path = WRITERS[suffix](tmp_path / f'file{suffix}')
    for _ in range(2):
        load_backend(path)
    assert len(lines) == is_program and all(f'file{suffix} is a PyTorch program' in line for line in lines)


def test_a_torch_file_without_our_metadata_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr('exported_models.metadata_texts', dict)
    for suffix in ('.torchscript', '.pt2'):
        with pytest.raises(ExportedModelError, match=f'foreign{suffix}: the metadata lack classes'):
            load_backend(WRITERS[suffix](tmp_path / f'foreign{suffix}'))


def test_wrong_paths_are_refused(tmp_path):
    (tmp_path / 'model.pth').touch()
    with pytest.raises(ExportedModelError, match=r'model.pth is not an exported model; their suffixes are \.onnx'):
        load_backend(tmp_path / 'model.pth')
    with pytest.raises(FileNotFoundError, match='there is no exported model .*model.onnx'):
        load_backend(tmp_path / 'model.onnx')
    assert is_exported('a/B.ONNX')
    assert not is_exported('onnx')


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    path = write_onnx(tmp_path / 'tiny.onnx')
    import_module = importlib.import_module

    def without_onnxruntime(name, *args):
        if name == 'onnxruntime':
            raise ModuleNotFoundError('No module named onnxruntime', name=name)
        return import_module(name, *args)

    monkeypatch.setattr(importlib, 'import_module', without_onnxruntime)
    with pytest.raises(ImportError, match=r'onnxruntime is not installed.*pip install "mmseam\[deploy\]"'):
        load_backend(path)


def test_without_cuda_it_runs_on_the_cpu_and_says_so(tmp_path):
    onnxruntime = pytest.importorskip('onnxruntime')
    if 'CUDAExecutionProvider' in onnxruntime.get_available_providers():
        pytest.skip('this onnxruntime has CUDA')
    with pytest.warns(UserWarning, match='tiny.onnx runs on the CPU.*onnxruntime-gpu'):
        backend = load_backend(write_onnx(tmp_path / 'tiny.onnx'), device='cuda:0')
    assert backend(image(.5, .5, .5)[None])[1].shape == (1, 3, 1)


@pytest.mark.skipif(not hasattr(os, 'sched_setaffinity'), reason='the system has no affinity masks')
def test_threads_are_those_that_the_process_may_use():
    allowed = os.sched_getaffinity(0)
    assert 1 <= available_cores() <= len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
