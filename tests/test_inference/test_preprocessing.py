"""Images become what the config's test pipeline and mmdet's data preprocessor make of them."""
import numpy as np
import pytest
import torch
from mmdet.models import DetDataPreprocessor
from mmyolo.datasets.transforms import LetterResize, YOLOv5KeepRatioResize

from mmseam.inference.preprocessing import ImagePreprocessor, Normalization, boxes_in_original

SCALE = (160, 160)
PLAIN = Normalization([0.] * 3, [255.] * 3, True)
GENERAL = Normalization([123.675, 116.28, 103.53], [58.395, 57.12, 57.375], False, 64, 3.)


def image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def transforms(allow_scale_up=False) -> list:
    return [YOLOv5KeepRatioResize(SCALE), LetterResize(SCALE, pad_val=dict(img=114), allow_scale_up=allow_scale_up)]


def host_preprocessor(how: Normalization) -> DetDataPreprocessor:
    return DetDataPreprocessor(how.mean, how.std, how.size_divisor, how.pad_value, bgr_to_rgb=how.to_rgb)


@pytest.mark.parametrize('how', [PLAIN, GENERAL], ids=['plain', 'general'])
def test_input_is_that_of_the_host(how):
    images = [image(90, 120), image(301, 200), image(50, 60)]
    batch = ImagePreprocessor(transforms(), how, 32, rect=False)(images)
    samples = [dict(img=one) for one in images]
    for transform in transforms():
        samples = [transform(sample) for sample in samples]
    inputs = [torch.from_numpy(sample['img']).permute(2, 0, 1) for sample in samples]
    expected = host_preprocessor(how)(dict(inputs=inputs), False)['inputs']
    np.testing.assert_allclose(batch.inputs, expected.numpy(), atol=1e-6)
    assert batch.inputs.dtype == np.float32
    for meta, sample, one in zip(batch.metas, samples, images):
        assert meta['ori_shape'] == one.shape[:2]
        assert meta['scale_factor'] == sample['scale_factor']
        np.testing.assert_array_equal(meta['pad_param'], sample['pad_param'])


def test_images_of_different_sizes_are_padded_right_and_below():
    """Detectors of mmdet have no letterbox."""
    images = [image(70, 40), image(60, 90)]
    batch = ImagePreprocessor([], GENERAL, 32, rect=True)(images)
    inputs = [torch.from_numpy(one).permute(2, 0, 1) for one in images]
    expected = host_preprocessor(GENERAL)(dict(inputs=inputs), False)['inputs']
    assert batch.inputs.shape == (2, 3, 128, 128)
    np.testing.assert_allclose(batch.inputs, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize('sizes, shape', [
    ([(90, 120)], (128, 160)),  # 120 rows after enlarging
    ([(120, 90)], (160, 128)),
    ([(96, 160)], (96, 160)),
    ([(97, 160)], (128, 160)),
    ([(8, 160)], (64, 160)),  # two strides at least
    ([(480, 480)], (160, 160)),
    ([(1024, 768), (768, 1024)], (160, 160)),
    ([(300, 400), (200, 400)], (128, 160)),
])
def test_padding_to_whole_strides(sizes, shape):
    images = [image(*size) for size in sizes]
    batch = ImagePreprocessor(transforms(), PLAIN, 32, rect=True)(images)
    square = ImagePreprocessor(transforms(), PLAIN, 32, rect=False)(images)
    assert batch.inputs.shape == (len(sizes), 3, *shape)
    assert square.inputs.shape[2:] == SCALE
    for small, large, meta, other in zip(batch.inputs, square.inputs, batch.metas, square.metas):
        assert meta['scale_factor'] == other['scale_factor']
        np.testing.assert_array_equal(_content(small, meta), _content(large, other))


def _content(planes: np.ndarray, meta: dict) -> np.ndarray:
    """Without the padding."""
    top, bottom, left, right = meta['pad_param'].astype(int)
    return planes[:, top:planes.shape[1] - bottom, left:planes.shape[2] - right]


def test_stride_of_larger_networks():
    batch = ImagePreprocessor(transforms(), PLAIN, 64, rect=True)([image(90, 120)])
    assert batch.inputs.shape[2:] == (128, 192)


@pytest.mark.parametrize('rect', [True, False])
@pytest.mark.parametrize('size', [(90, 120), (301, 200), (33, 500)])
def test_boxes_find_back(size, rect):
    """A marked rectangle is found in the input, and its box leads back to it."""
    picture = np.zeros((*size, 3), np.uint8)
    left, top, right, bottom = (round(share * size[(axis + 1) % 2]) for axis, share in enumerate((.2, .3, .7, .8)))
    picture[top:bottom, left:right] = 255
    batch = ImagePreprocessor(transforms(), PLAIN, 32, rect)([picture])
    bright = batch.inputs[0, 0] > .5
    top_pad, _, left_pad, _ = batch.metas[0]['pad_param']
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    box = np.float32([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]])
    found = boxes_in_original(box, batch.metas[0])
    assert found.dtype == np.float32
    # Half a pixel of the input
    np.testing.assert_allclose(found[0], [left, top, right, bottom], atol=.6 * max(1, max(size) / 160))


def test_boxes_are_cut_at_the_borders():
    meta = ImagePreprocessor(transforms(), PLAIN, 32, rect=False)([image(100, 200)]).metas[0]
    np.testing.assert_array_equal(boxes_in_original(np.float32([[-50, -50, 500, 500]]), meta), [[0, 0, 200, 100]])
    assert boxes_in_original(np.zeros((0, 4), np.float32), meta).shape == (0, 4)
