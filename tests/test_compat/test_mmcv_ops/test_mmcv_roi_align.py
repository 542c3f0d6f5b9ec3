"""RoIAlign of the stand-in for mmcv._ext against a plain reference and numerical derivatives."""
import math

import pytest
import torch
from mmcv.ops import RoIAlign, roi_align

pytestmark = pytest.mark.usefixtures('kernel')

MAPS = torch.randn(2, 3, 7, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
# Inside, over the borders, far outside, thin, and of no extent; in pixels of an image four times the map.
ROIS = torch.tensor([[0, 3, 4, 21, 17], [1, -9, -6, 50, 40], [1, 5, 5, 30, 6.5], [0, 100, 100, 120, 130],
                     [1, 12, 12, 12, 12], [0, 30, 2, 36, 27]], dtype=torch.float64)


def bilinear(plane, y, x):
    """Sample a map: 0 more than a pixel outside, the border's value up to there."""
    height, width = plane.shape
    if y < -1 or y > height or x < -1 or x > width:
        return plane.new_zeros(())
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    return ((1 - dy) * (1 - dx) * plane[top, left] + (1 - dy) * dx * plane[top, right]
            + dy * (1 - dx) * plane[bottom, left] + dy * dx * plane[bottom, right])


def plain_roi_align(maps, rois, size, scale, sampling_ratio, aligned):
    output = maps.new_zeros(len(rois), maps.size(1), *size)
    for r, (number, *corners) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (corner * scale - 0.5 * aligned for corner in corners)
        height, width = (y2 - y1, x2 - x1) if aligned else (max(y2 - y1, 1), max(x2 - x1, 1))
        bin_h, bin_w = height / size[0], width / size[1]
        rows, columns = (sampling_ratio or math.ceil(bin_h)), (sampling_ratio or math.ceil(bin_w))
        for c, ph, pw in ((c, i, j) for c in range(maps.size(1)) for i in range(size[0]) for j in range(size[1])):
            samples = [
                bilinear(maps[int(number), c], y1 + (ph + (i + .5) / rows) * bin_h,
                         x1 + (pw + (j + .5) / columns) * bin_w) for i in range(rows) for j in range(columns)
            ]
            if samples:
                output[r, c, ph, pw] = sum(samples) / len(samples)
    return output


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_roi_align_value_and_gradient(sampling_ratio, aligned):
    maps, plain_maps = MAPS.clone().requires_grad_(), MAPS.clone().requires_grad_()
    output = roi_align(maps, ROIS, (2, 3), .25, sampling_ratio, 'avg', aligned)
    expected = plain_roi_align(plain_maps, ROIS, (2, 3), .25, sampling_ratio, aligned)
    torch.testing.assert_close(output, expected)
    direction = torch.randn(output.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (output * direction).sum().backward()
    (expected * direction).sum().backward()
    torch.testing.assert_close(maps.grad, plain_maps.grad)


def test_roi_align_gradient_is_the_numerical_one():
    assert torch.autograd.gradcheck(lambda maps: roi_align(maps, ROIS, (2, 2), .25, 2, 'avg', True),
                                    MAPS[:, :1].clone().requires_grad_())


def test_roi_align_samples_each_bin_of_a_ramp_at_its_center():
    """The mean of a linear function over a bin is its value at the center; pixel centers lie at .5 when aligned."""
    ramp = torch.arange(16.).expand(1, 1, 16, 16)
    rois = torch.tensor([[0., 2., 2., 10., 10.]])
    assert roi_align(ramp, rois, (1, 2), 1., 0, 'avg', True)[0, 0, 0].tolist() == pytest.approx([3.5, 7.5])
    assert roi_align(ramp, rois, (1, 2), 1., 0, 'avg', False)[0, 0, 0].tolist() == pytest.approx([4., 8.])


def test_roi_align_layer_in_half_precision():
    rois = ROIS[:3].half()
    output = RoIAlign((2, 3), .25)(MAPS.half(), rois)
    expected = plain_roi_align(MAPS.half().double(), rois.double(), (2, 3), .25, 0, True)
    assert output.dtype == torch.float16
    torch.testing.assert_close(output.double(), expected, atol=2e-3, rtol=2e-3)  # float16 has 11 bits


def test_roi_align_without_regions():
    assert RoIAlign((7, 7), .25)(MAPS, MAPS.new_zeros(0, 5)).shape == (0, 3, 7, 7)


def test_roi_align_by_maximum_says_that_it_needs_a_compiled_mmcv():
    with pytest.raises(NotImplementedError, match=r"roi_align with pool_mode='max'.*pip install"):
        roi_align(MAPS, ROIS, (2, 2), .25, 2, 'max', True)
