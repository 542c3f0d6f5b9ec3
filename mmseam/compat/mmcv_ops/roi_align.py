"""RoIAlign with average pooling and the results of mmcv's kernels: torchvision if it loads, else PyTorch.

He et al., "Mask R-CNN", ICCV 2017, section 3. Bilinear sampling is separable, so a region is two small matrix
products, rows × map × columns, and its gradient their transposes.
"""
from typing import Iterator, NamedTuple, Tuple

import torch
from torch import Tensor

from mmseam.compat.mmcv_ops import needs_compiled_mmcv
from mmseam.compat.mmcv_ops.torchvision_ops import torchvision_ops

__all__ = ['roi_align_backward', 'roi_align_forward']

_AVERAGE = 1  # mmcv's `pool_mode`


class _Axis(NamedTuple):
    """Averaging weights of one region along one axis."""
    span: slice  # the pixels that they touch
    weights: Tensor  # of those pixels, shape (bins, pixels)


def roi_align_forward(input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor,
                      aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
                      pool_mode: int, aligned: bool) -> None:
    """Average bilinear samples of each region on a grid.

    Args:
        input (Tensor): Feature maps, shape (B, C, H, W).
        rois (Tensor): Rows of map number, x1, y1, x2, y2 in pixels of the image, shape (R, 5).
        output (Tensor): Filled, shape (R, C, aligned_height, aligned_width); a region without extent pools to 0.
        argmax_y (Tensor): Empty; used by max pooling only.
        argmax_x (Tensor): See ``argmax_y``.
        aligned_height (int): Bins of a region along y.
        aligned_width (int): Bins of a region along x.
        spatial_scale (float): Size of the map over size of the image.
        sampling_ratio (int): Samples of a bin along each axis; 0: as many as the pixels that it covers.
        pool_mode (int): 1, average; 0 would be the maximum.
        aligned (bool): Whether pixel centers are at .5; if not, regions have at least one pixel.

    Raises:
        NotImplementedError: ``pool_mode`` is not the average.
    """
    if pool_mode != _AVERAGE:
        raise needs_compiled_mmcv("roi_align with pool_mode='max'")
    size = (aligned_height, aligned_width)
    compiled = torchvision_ops(input.device.type)
    if compiled is not None:
        output.copy_(compiled.roi_align(input, rois, size, spatial_scale, sampling_ratio, aligned))
        return
    maps = input.to(torch.promote_types(input.dtype, torch.float32))
    for roi, (number, y, x) in enumerate(_regions(rois, maps.shape, size, spatial_scale, sampling_ratio, aligned)):
        output[roi] = y.weights @ maps[number, :, y.span, x.span] @ x.weights.t()


def roi_align_backward(grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor,
                       aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
                       pool_mode: int, aligned: bool) -> None:
    """Add the gradient of the feature maps to ``grad_input``, shape (B, C, H, W), initially zero."""
    size = (aligned_height, aligned_width)
    if torchvision_ops(grad_output.device.type) is not None:
        grad_input.copy_(
            torch.ops.torchvision._roi_align_backward(grad_output, rois, spatial_scale, *size, *grad_input.shape,
                                                      sampling_ratio, aligned))
        return
    grads = grad_output.to(torch.promote_types(grad_output.dtype, torch.float32))
    regions = _regions(rois, grad_input.shape, size, spatial_scale, sampling_ratio, aligned)
    for grad, (number, y, x) in zip(grads, regions):
        grad_input[number, :, y.span, x.span] += y.weights.t() @ grad @ x.weights


def _regions(rois: Tensor, map_shape: torch.Size, size: Tuple[int, int], spatial_scale: float, sampling_ratio: int,
             aligned: bool) -> Iterator[Tuple[int, _Axis, _Axis]]:
    """Yield the map number and the weights along y and x of each region."""
    rois = rois.detach().to(torch.promote_types(rois.dtype, torch.float32))
    corners = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    starts, extents = corners[:, :2], corners[:, 2:] - corners[:, :2]
    if not aligned:
        extents = extents.clamp(min=1)
    bin_sizes = extents / extents.new_tensor(size[::-1])
    counts = bin_sizes.ceil().clamp(min=0).long() if sampling_ratio <= 0 else torch.full_like(bin_sizes, sampling_ratio)
    for number, start, bin_size, count in zip(rois[:, 0].long().tolist(), starts, bin_sizes, counts.long().tolist()):
        x, y = (_axis(start[axis], bin_size[axis], size[1 - axis], count[axis], map_shape[3 - axis])
                for axis in (0, 1))
        yield number, y, x


def _axis(start: Tensor, bin_size: Tensor, bins: int, samples: int, extent: int) -> _Axis:
    """Compute the weights of one region along one axis of a map with ``extent`` pixels."""
    if samples == 0:
        return _Axis(slice(0, 0), start.new_zeros(bins, 0))
    first, within = (torch.arange(count, dtype=start.dtype, device=start.device) for count in (bins, samples))
    positions = start + first[:, None] * bin_size + (within + 0.5) * bin_size / samples
    low, high, weight_low, weight_high = _interpolate(positions, extent)
    begin, end = int(low.min()), int(high.max()) + 1
    weights = positions.new_zeros(bins, end - begin)
    weights.scatter_add_(1, low - begin, weight_low / samples)
    weights.scatter_add_(1, high - begin, weight_high / samples)
    return _Axis(slice(begin, end), weights)


def _interpolate(positions: Tensor, extent: int) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the two pixels next to each position and their weights, 0 more than a pixel outside the map."""
    inside = ((positions >= -1) & (positions <= extent)).to(positions.dtype)
    nearest = positions.clamp(0, extent - 1)
    low = nearest.floor().long()
    fraction = nearest - low
    return low, (low + 1).clamp(max=extent - 1), (1 - fraction) * inside, fraction * inside
