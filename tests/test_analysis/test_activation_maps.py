"""Class activation maps of covered and uncovered faces. Most tests need grad-cam and torchvision (extra `cam`)."""
import sys

import cv2
import numpy as np
import pytest
import torch
from coco_files import coco_box, write_coco
from torch import nn

from mmseam.analysis.activation_maps import PairMaps, draw_activation_maps, measure_maps, plot_maps
from mmseam.analysis.face_pairs import FacePair
from mmseam.datasets.occlusion import load_samples
from mmseam.inference.preprocessing import ImageBatch
from mmseam.utils.config import load_config

BOX = np.array([4., 4., 12., 12.])


@pytest.fixture(scope='module')
def _grad_cam() -> None:
    try:
        import pytorch_grad_cam  # noqa: F401
    except (ImportError, RuntimeError) as error:  # RuntimeError: torchvision of another torch
        pytest.skip(f'grad-cam cannot be imported: {error}')


needs_grad_cam = pytest.mark.usefixtures('_grad_cam')


class Neck(nn.Module):
    """Two levels of strides 1 and 4, whose channels are red and blue."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 2, 1, bias=False), nn.Conv2d(3, 2, 4, 4, bias=False)
        for layer in (self.fine, self.coarse):
            layer.weight.data.zero_()
            layer.weight.data[0, 0] = layer.weight.data[1, 2] = 1 / layer.weight[0, 0].numel()

    def forward(self, inputs):
        return self.fine(inputs), self.coarse(inputs)


class Detector(nn.Module):
    """Two class logits by level: red minus blue, and one that is never the largest."""

    def __init__(self) -> None:
        super().__init__()
        self.neck, self.predict = Neck(), nn.Conv2d(2, 2, 1)
        self.predict.weight.data = torch.tensor([[1., -1.], [-5., -5.]])[..., None, None]
        self.predict.bias.data.zero_()

    def forward(self, inputs, mode):
        assert mode == 'tensor'
        return [self.predict(level) for level in self.neck(inputs)], None


def preprocess(images) -> ImageBatch:
    """RGB, 0 to 1."""
    inputs = np.stack(images).transpose(0, 3, 1, 2)[:, ::-1].astype(np.float32) / 255
    return ImageBatch(inputs, [dict(ori_shape=image.shape[:2], scale_factor=(1., 1.)) for image in images])


def enlarge(images) -> ImageBatch:
    """Twice as large, with 8 pixels of padding at the left and 16 at the top."""
    large = [cv2.copyMakeBorder(cv2.resize(image, None, fx=2, fy=2), 16, 0, 8, 0, cv2.BORDER_CONSTANT)
             for image in images]
    return ImageBatch(preprocess(large).inputs, [dict(ori_shape=image.shape[:2], scale_factor=(2., 2.),
                                                      pad_param=(16, 0, 8, 0)) for image in images])


def random_pair() -> FacePair:
    uncovered = np.random.default_rng(0).integers(0, 200, (16, 20, 3), np.uint8)
    uncovered[6, 9] = 0, 0, 255  # the largest logit: in the box
    uncovered[1, 18] = 0, 0, 255  # as large, but outside
    covered = uncovered.copy()
    covered[8:12, 4:12] = 128
    return FacePair(uncovered, covered, BOX)


@needs_grad_cam
def test_grad_cam_equals_its_definition():
    """The gradient of a 1×1 predictor is its weights at one point; so the map is the rectified weighted sum."""
    pair = random_pair()
    maps, = measure_maps(Detector().eval(), preprocess, [pair])
    for image, values in zip(pair[:2], (maps.uncovered, maps.covered)):
        expected = np.maximum(image[..., 2].astype(float) - image[..., 0], 0)
        assert values.shape == (16, 20)
        assert values == pytest.approx(expected / expected.max(), abs=1e-5)


@needs_grad_cam
def test_the_box_chooses_the_point():
    """A point gradient weighs only its own level; HiResCAM keeps its place."""
    pair = random_pair()
    maps, = measure_maps(Detector().eval(), preprocess, [pair], 'hirescam')
    assert np.argwhere(maps.uncovered > .5).tolist() == [[6, 9]]


@needs_grad_cam
@pytest.mark.parametrize('method', ['gradcam', 'layercam', 'eigencam'])
def test_maps_return_to_the_image(method):
    image = np.zeros((16, 20, 3), np.uint8)
    image[6:9, 7:11, 2] = 255
    maps, = measure_maps(Detector().eval(), enlarge, [FacePair(image, image, BOX)], method)
    assert maps.uncovered.shape == (16, 20)
    rows, columns = np.nonzero(maps.uncovered > .5)
    assert 5 <= rows.min() <= rows.max() <= 9
    assert 6 <= columns.min() <= columns.max() <= 11


def test_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pytorch_grad_cam', None)
    with pytest.raises(ImportError, match=r"need grad-cam and the torchvision .*; try: pip install 'mmseam\[cam\]'"):
        measure_maps(Detector(), preprocess, [random_pair()])


def test_plot_shows_faces_and_maps(tmp_path):
    pair = random_pair()
    plot_maps([PairMaps(pair, *np.zeros((2, 16, 20), np.float32))] * 2, tmp_path / 'maps.png', 'covered')
    picture = cv2.imread(str(tmp_path / 'maps.png'))
    # Largest logit of the face, bare in one panel of each row
    spots = (picture == (0, 0, 255)).all(2)
    assert cv2.connectedComponents(spots.astype(np.uint8))[0] - 1 >= 4


@needs_grad_cam
def test_trained_detector(tmp_path):
    from mmengine.registry import DefaultScope

    from mmseam.registry import MODELS
    data = write_coco(tmp_path, {'a.png': [coco_box((40, 20, 20, 20)), coco_box((80, 50, 10, 8))]})
    name = 'yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface'
    with DefaultScope.overwrite_default_scope('mmyolo'):
        model = MODELS.build(load_config(name).model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    text = draw_activation_maps(name, str(tmp_path / 'model.pth'), load_samples(data, tmp_path / 'images'),
                                tmp_path / 'out', size=64)
    assert [' the box uncovered' in line for line in text.splitlines()] == [True, False]
    assert text.endswith('(mean of 2 faces)')
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {'maps.png', 'maps.pdf'}
