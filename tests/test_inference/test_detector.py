"""Detectors from configs and from exported files find the same as the host, whatever the images come as."""
from pathlib import Path

import cv2
import exported_models
import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.registry import DefaultScope
from PIL import Image

from mmseam.apis import Detector, load_detector
from mmseam.export.detector_export import export_detector
from mmseam.inference.detector import _published_weights
from mmseam.inference.metadata import ModelMetadata
from mmseam.inference.sources import ImageSource
from mmseam.inference.trained_detector import load_trained_detector
from mmseam.registry import MODELS
from mmseam.utils.checkpoint_match import CheckpointMismatchError
from mmseam.utils.config import ConfigError, load_config

ROOT = Path(__file__).resolve().parent.parent.parent
NAME = 'yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface'
CHILD = """
_base_ = '{base}'
side = (160, 160)
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = side
test_pipeline[2].scale = side
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""
# Of the sums over thousands of pixels in single precision, in the small exported models
ROUNDING = 1e-5


def drawn(height: int, width: int) -> np.ndarray:
    """Make an image with some structure."""
    rng = np.random.default_rng(height + width)
    image = cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        center = tuple(int(rng.integers(side)) for side in (width, height))
        cv2.circle(image, center, int(rng.integers(3, 30)), rng.integers(0, 256, 3).tolist(), -1)
    return image


def write_model(folder: Path, name: str, base: str) -> None:
    """Write a config for small images, and random weights whose scores differ."""
    config = folder / f'{name}.py'
    config.write_text(CHILD.format(base=ROOT / 'configs' / base))
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseam'):
        model = MODELS.build(load_config(config).model)
    for branch in model.bbox_head.head_module.cls_preds:
        torch.nn.init.normal_(branch[-1].weight)
        torch.nn.init.constant_(branch[-1].bias, -1)
    torch.save(dict(state_dict=model.state_dict()), folder / f'{name}.pth')


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Make a folder with a model and JPEGs."""
    folder = tmp_path_factory.mktemp('detector')
    write_model(folder, 'small', f'multiseam/{NAME}.py')
    for name, size in dict(a=(90, 160), b=(160, 90), c=(200, 300)).items():
        cv2.imwrite(str(folder / f'{name}.jpg'), drawn(*size))
    return folder


@pytest.fixture(scope='module')
def detector(files) -> Detector:
    return load_detector(files / 'small.py', files / 'small.pth', 'cpu')


@pytest.fixture(scope='module')
def square(files) -> Detector:
    return load_detector(files / 'small.py', files / 'small.pth', 'cpu', rect=False)


def assert_same(one, other, pixels=1e-3, scores=1e-5):
    assert len(one) == len(other) > 0
    for first, second in zip(one, other):
        assert len(first) == len(second) > 0
        np.testing.assert_allclose(first.scores, second.scores, atol=scores)
        np.testing.assert_allclose(first.boxes, second.boxes, atol=pixels)
        np.testing.assert_array_equal(first.labels, second.labels)


@pytest.fixture(scope='module')
def host(files):
    with DefaultScope.overwrite_default_scope('mmseam'):
        return DetInferencer(str(files / 'small.py'), str(files / 'small.pth'), 'cpu', 'mmseam', show_progress=False)


@pytest.mark.parametrize('name', 'abc')
def test_detections_are_those_of_the_host(files, square, host, name):
    path = str(files / f'{name}.jpg')
    expected = host(path, no_save_vis=True, return_datasamples=True)['predictions'][0].pred_instances
    found, = square(path, score_thr=.2)
    expected = expected[expected.scores >= .2]
    assert len(found) == len(expected) > 10
    np.testing.assert_allclose(found.scores, expected.scores.numpy(), atol=1e-4)
    np.testing.assert_allclose(found.boxes, expected.bboxes.numpy(), atol=1e-3)
    assert found.classes == square.classes == ('face', )


def test_results_describe_their_image(files, detector):
    results = detector(files, score_thr=.2)
    assert [result.path.name for result in results] == ['a.jpg', 'b.jpg', 'c.jpg']
    for result, size in zip(results, ((90, 160), (160, 90), (200, 300))):
        assert result.size == size
        assert result.boxes.dtype == result.scores.dtype == np.float32
        assert result.labels.dtype == np.int64
        assert (result.boxes >= 0).all()
        assert (result.boxes <= np.tile(size[::-1], 2)).all()
        assert (np.diff(result.scores) <= 0).all()
        assert result.scores.min() >= .2
        assert list(result.speed) == ['load', 'preprocess', 'forward', 'postprocess']
        assert all(0 < milliseconds < 10000 for milliseconds in result.speed.values())
        assert result.pixels is None
        np.testing.assert_array_equal(result.image, cv2.imread(str(result.path)))


def test_threshold_only_drops_detections(files, detector):
    low, = detector(files / 'a.jpg', score_thr=.1)
    threshold = float(low.scores.mean())
    high, = detector(files / 'a.jpg', score_thr=threshold)
    assert 0 < len(high) < len(low)
    assert_same([low.filter(threshold)], [high])


def test_rectangles_change_the_padding_only(files, detector, square):
    assert detector.backend.preprocessor([drawn(90, 160)]).inputs.shape == (1, 3, 96, 160)
    assert square.backend.preprocessor([drawn(90, 160)]).inputs.shape == (1, 3, 160, 160)
    # An image without padding is the same in both
    assert_same(detector(drawn(160, 160), .2), square(drawn(160, 160), .2))


@pytest.mark.parametrize('batch_size', [2, 3])
def test_batches_change_nothing(files, square, batch_size):
    assert_same(square(files, .2, batch_size), square(files, .2), pixels=.05, scores=1e-4)


def test_all_forms_of_an_image_give_the_same(files, detector):
    array = cv2.imread(str(files / 'a.jpg'))
    forms = [files / 'a.jpg', str(files / 'a.jpg'), array, Image.fromarray(array[..., ::-1]), f'{files}/[a].*']
    expected = detector(forms[0], .2)
    for form in forms[1:]:
        assert_same(detector(form, .2), expected)
    together = detector(list(forms[:4]), .2)
    assert_same(together, expected * 4)
    assert [result.name for result in together[2:]] == ['image 2', 'image 3']


def test_broken_images_keep_their_place(files, detector, tmp_path):
    broken = tmp_path / 'broken.jpg'
    broken.write_bytes((files / 'a.jpg').read_bytes()[:700])
    with pytest.warns(UserWarning, match=f'left out: {broken}: the JPEG file is truncated'):
        results = detector([broken, files / 'a.jpg', broken, files / 'b.jpg'], batch_size=2)
    assert [result.path.name for result in results] == ['broken.jpg', 'a.jpg', 'broken.jpg', 'b.jpg']
    assert [result.error is None for result in results] == [False, True, False, True]
    with pytest.warns(UserWarning, match='left out'):
        alone, = detector(broken)
    assert len(alone) == 0 and alone.names == {0: 'face'} and alone.crop() == []
    assert 'the JPEG file is truncated' in alone.error and repr(alone) == f'DetectionResult({alone.error})'
    with pytest.warns(UserWarning, match='left out'):
        assert [result.path for result in detector.stream([broken, files / 'a.jpg'])] == [files / 'a.jpg']


def test_videos(files, detector, tmp_path):
    images = [drawn(96, 128), drawn(96, 128)[::-1]]
    path = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10.0, (128, 96))
    for image in (*images, images[0]):
        writer.write(np.ascontiguousarray(image))
    writer.release()
    frames = list(detector.stream(path, .2, batch_size=2))
    assert [frame.frame for frame in frames] == [0, 1, 2]
    assert frames[0].plot().shape == (96, 128, 3)
    assert_same(frames, detector([frame.image for frame in frames], .2))
    light = detector(path, .2)
    assert_same(light, frames)
    with pytest.raises(ValueError, match='were not kept'):
        light[0].plot()


def test_a_stream_reads_no_further_than_asked(files, detector):
    stream = detector.stream([files / 'a.jpg', files / 'b.jpg'], workers=1)
    first = next(stream)
    np.testing.assert_array_equal(first.pixels, cv2.imread(str(files / 'a.jpg')))
    (files / 'b.jpg').rename(files / 'moved')
    try:
        with pytest.warns(UserWarning, match='left out: .*b.jpg'):
            assert not list(stream)
    finally:
        (files / 'moved').rename(files / 'b.jpg')


def test_the_model_is_in_the_form_for_inference(detector):
    assert not detector.backend.model.training
    convolutions = [module for module in detector.backend.model.backbone.modules() if hasattr(module, 'norm_name')]
    assert convolutions
    assert all(isinstance(getattr(module, module.norm_name), torch.nn.Identity) for module in convolutions
               if module.norm_name)


def test_loading_leaves_the_default_scope_alone(files):
    def scope():
        current = DefaultScope.get_current_instance()
        return current and current.scope_name

    before = scope()
    load_detector(files / 'small.py', files / 'small.pth')
    assert scope() == before


def test_what_cannot_be_loaded(files, tmp_path):
    with pytest.raises(ConfigError, match='there is no config'):
        load_detector('yolo11_n_nothing', files / 'small.pth')
    with pytest.raises(ConfigError, match=f'no weights are published for {NAME}; give a checkpoint'):
        load_detector(NAME)
    with pytest.raises(ConfigError, match='no weights are published for small'):
        load_detector(files / 'small.py')
    with pytest.raises(FileNotFoundError, match='there is no checkpoint'):
        load_detector(files / 'small.py', tmp_path / 'missing.pth')
    with pytest.raises(CheckpointMismatchError, match='does not match the config'):
        load_detector('yolo11_n_syncbn_fast_8xb16-250e_widerface', files / 'small.pth', 'cpu')
    with pytest.raises(FileNotFoundError, match='model.onnx'):
        load_detector(tmp_path / 'model.onnx')
    with pytest.raises(ConfigError, match='model.onnx includes its weights'):
        load_detector('model.onnx', files / 'small.pth')


def test_published_weights_are_those_of_the_metafile(tmp_path):
    (tmp_path / 'metafile.yml').write_text('Models:\n- Name: other\n  Weights: o.pth\n- Name: mine\n  Weights: m.pth\n')
    assert _published_weights(tmp_path / 'mine.py') == str(tmp_path / 'm.pth')


@pytest.mark.parametrize('batch_size', [1, 2])
def test_several_workers_find_the_same(files, detector, monkeypatch, batch_size):
    monkeypatch.setattr(detector.backend, 'cores', 3)
    images = [files / f'{name}.jpg' for name in 'abccbacab']  # sizes alternate
    expected = detector(images, .2, batch_size, workers=1)
    assert_same(detector(images, .2, batch_size, workers=3), expected)
    assert_same(detector(images, .2, batch_size), expected)


@pytest.mark.parametrize(('cores', 'total', 'batch_size', 'expected'), [
    (1, 28, 1, 1), (2, 28, 1, 2), (16, 28, 1, 4), (16, 8, 1, 4), (16, 7, 1, 1), (16, 15, 2, 1), (16, 0, 1, 1),
    (16, None, 1, 4)])
def test_number_of_workers(detector, monkeypatch, cores, total, batch_size, expected):
    monkeypatch.setattr(detector.backend, 'cores', cores)
    source = ImageSource([])
    source.total = total
    assert detector._num_workers(source, batch_size, None) == expected


def test_what_cannot_be_asked(files, detector, monkeypatch):
    monkeypatch.setattr(detector.backend, 'cores', 2)
    for workers in (0, 3):
        with pytest.raises(ValueError, match=f'workers must be from 1 to 2 here, not {workers}'):
            detector(files, workers=workers)
    with pytest.raises(ValueError, match='batch_size must be at least 1, not 0'):
        detector(files, batch_size=0)
    with pytest.raises(FileNotFoundError):
        detector.stream(files / 'missing.jpg')  # at once, not with the first image


def approx(values):
    return pytest.approx(values, abs=ROUNDING)


def colors(*rgb: int, size=(64, 64)) -> np.ndarray:
    """Make an image of one color, BGR."""
    return np.full((*size, 3), rgb[::-1], np.uint8)


def load_exported(path, **changes) -> Detector:
    """Make a model of three fixed boxes, whose scores are the means of red, green and blue."""
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnx')
    return load_detector(exported_models.write_onnx(path / 'model.onnx', **changes))


def test_an_exported_file_and_several_workers(tmp_path, monkeypatch):
    detector = load_exported(tmp_path)
    monkeypatch.setattr(detector.backend, 'cores', 2)
    images = [colors(20 * shade, 200, 100) for shade in range(12)]
    assert_same(detector(images, .2, workers=2), detector(images, .2, workers=1))


def test_an_exported_file(tmp_path):
    detector = load_exported(tmp_path)
    # Twice the size of the input; the second box gives way to the first
    result, = detector(colors(204, 153, 102, size=(128, 128)))
    np.testing.assert_allclose(result.scores, [.8, .4], atol=ROUNDING)
    np.testing.assert_allclose(result.boxes, 2 * exported_models.BOXES[[0, 2]], atol=1e-4)
    assert result.class_names == ['face', 'face']
    assert detector(colors(204, 153, 102), score_thr=.5)[0].scores == approx([.8])
    assert detector(colors(0, 0, 0))[0].boxes.shape == (0, 4)


def test_a_threshold_below_that_of_the_file(tmp_path):
    result, = load_exported(tmp_path)(colors(204, 0, 13), .02)
    assert result.scores == approx([.8, 13 / 255])


def test_exported_files_of_fixed_size_get_the_square(tmp_path):
    result, = load_exported(tmp_path)(colors(255, 204, 153, size=(32, 64)), .1)
    # Half of the input is padding, 16 rows above
    assert result.scores == approx([(1 + 114 / 255) / 2, (.6 + 114 / 255) / 2])
    np.testing.assert_allclose(result.boxes, [[8, 0, 24, 8], [40, 14, 60, 32]], atol=1e-4)


def test_exported_files_of_free_size_get_whole_strides(tmp_path):
    changes = dict(dynamic=True, input_size=(192, 192))
    detector = load_exported(tmp_path, **changes)
    images = [colors(204, 0, 0, size=(64, 192)), colors(51, 0, 0, size=(64, 192))]
    results = detector(images, .1, batch_size=2)
    assert [result.scores.tolist() for result in results] == [approx([.8]), approx([.2])]
    padded = load_detector(tmp_path / 'model.onnx', rect=False)(images[0], .1)[0]
    assert padded.scores[0] == approx((.8 + 2 * 114 / 255) / 3)


def test_an_exported_file_with_nms(tmp_path):
    pytest.importorskip('onnxruntime')
    rows = np.array([[8, 8, 24, 24, .9, 0], [40, 30, 60, 50, .2, 0]])
    path = exported_models.write_onnx_with_nms(tmp_path / 'nms.onnx', rows, np.zeros(2))
    result, = load_detector(path)(colors(0, 0, 0, size=(32, 32)))
    np.testing.assert_allclose(result.boxes, [[4, 4, 12, 12]], atol=1e-5)
    assert result.scores == approx([.9])


def test_an_exported_network_finds_what_pytorch_finds(files, tmp_path):
    write_model(tmp_path, 'plain', 'yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py')
    cfg = load_config(tmp_path / 'plain.py')
    model, meta = load_trained_detector(cfg, tmp_path / 'plain.pth')
    export_detector(model, ModelMetadata.from_config(cfg, checkpoint_meta=meta), tmp_path / 'model.torchscript')
    exported = load_detector(tmp_path / 'model.torchscript')
    pytorch = load_detector(tmp_path / 'plain.py', tmp_path / 'plain.pth', 'cpu', rect=False)
    assert_same(exported(files, .2, batch_size=2), pytorch(files, .2), pixels=.01, scores=1e-4)


def test_wider_face_images(test_data, files, square, detector):
    """Real JPEGs of different sizes: boxes lie in the image, and the padding hardly matters."""
    paths = sorted((test_data / 'wider_face' / 'WIDER_val' / 'images').rglob('*.jpg'))[:3]
    for result in detector(paths, .2):
        height, width = cv2.imread(str(result.path)).shape[:2]
        assert result.size == (height, width)
        assert len(result) > 0
        assert (result.boxes >= 0).all()
        assert (result.boxes <= [width, height] * 2).all()
