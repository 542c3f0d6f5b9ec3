"""RoIAlign with the results of mmcv's kernels: torchvision's where it loads (average pooling only), else PyTorch.

He et al., "Mask R-CNN", ICCV 2017, section 3. Bilinear sampling is separable, so a region is two small matrix
products, rows × map × columns, and its gradient their transposes.
"""
from typing import Iterator, NamedTuple, Tuple

import torch
from torch import Tensor

from mmseam.compat.mmcv_ops.torchvision_ops import torchvision_ops

__all__ = ['roi_align_backward', 'roi_align_forward']

_NOWHERE = -2.0  # a coordinate outside every map: the maximum of a region without samples has no place


class _Axis(NamedTuple):
    """Samples of one region along one axis."""
    places: Tensor  # coordinates, shape (bins, samples of a bin)
    span: slice  # the pixels that they touch
    taps: Tensor  # weights of those pixels, shape (bins, samples of a bin, pixels)


def roi_align_forward(input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor,
                      aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
                      pool_mode: int, aligned: bool) -> None:
    """Pool bilinear samples of each region on a grid.

    Args:
        input (Tensor): Feature maps, shape (B, C, H, W).
        rois (Tensor): Rows of map number, x1, y1, x2, y2 in pixels of the image, shape (R, 5).
        output (Tensor): Filled, shape (R, C, aligned_height, aligned_width); a region without extent pools to 0.
        argmax_y (Tensor): Filled with the place of each maximum in pixels of the map, shaped as ``output``; empty
            and untouched in average mode.
        argmax_x (Tensor): As ``argmax_y``.
        aligned_height (int): Bins of a region along y.
        aligned_width (int): Bins of a region along x.
        spatial_scale (float): Size of the map over size of the image.
        sampling_ratio (int): Samples of a bin along each axis; 0 for as many as it covers pixels.
        pool_mode (int): 0 maximum, 1 average.
        aligned (bool): Whether pixel centers lie at .5; if not, regions are also at least one pixel large.
    """
    size = (aligned_height, aligned_width)
    compiled = torchvision_ops(input.device.type)
    if pool_mode == 1 and compiled is not None:
        output.copy_(compiled.roi_align(input, rois, size, spatial_scale, sampling_ratio, aligned))
        return
    maps = input.to(torch.promote_types(input.dtype, torch.float32))
    for roi, (number, y, x) in enumerate(_regions(rois, maps.shape, size, spatial_scale, sampling_ratio, aligned)):
        if pool_mode == 1:
            output[roi] = _mean_taps(y) @ maps[number, :, y.span, x.span] @ _mean_taps(x).t()
        elif y.taps.numel() and x.taps.numel():
            output[roi], argmax_y[roi], argmax_x[roi] = _maximum(maps[number], y, x)
        else:
            argmax_y[roi] = argmax_x[roi] = _NOWHERE


def roi_align_backward(grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor,
                       aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int,
                       pool_mode: int, aligned: bool) -> None:
    """Add the gradient by the maps to ``grad_input``, shape (B, C, H, W), which comes as zeros."""
    size = (aligned_height, aligned_width)
    if pool_mode == 0:
        _scatter_maxima(grad_output, rois, argmax_y, argmax_x, grad_input)
    elif torchvision_ops(grad_output.device.type) is not None:
        grad_input.copy_(
            torch.ops.torchvision._roi_align_backward(grad_output, rois, spatial_scale, *size, *grad_input.shape,
                                                      sampling_ratio, aligned))
    else:
        grads = grad_output.to(torch.promote_types(grad_output.dtype, torch.float32))
        regions = _regions(rois, grad_input.shape, size, spatial_scale, sampling_ratio, aligned)
        for grad, (number, y, x) in zip(grads, regions):
            grad_input[number, :, y.span, x.span] += _mean_taps(y).t() @ grad @ _mean_taps(x)


def _regions(rois: Tensor, map_shape: torch.Size, size: Tuple[int, int], spatial_scale: float, sampling_ratio: int,
             aligned: bool) -> Iterator[Tuple[int, _Axis, _Axis]]:
    """Map number and samples along y and x of each region."""
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
    """Samples of one region along one axis of a map with ``extent`` pixels."""
    first, within = (torch.arange(count, dtype=start.dtype, device=start.device) for count in (bins, samples))
    places = start + first[:, None] * bin_size + (within + 0.5) * bin_size / max(samples, 1)
    if samples == 0:
        return _Axis(places, slice(0, 0), places.new_zeros(bins, 0, 0))
    low, high, weight_low, weight_high = _interpolate(places, extent)
    begin, end = int(low.min()), int(high.max()) + 1
    taps = places.new_zeros(bins, samples, end - begin)
    taps.scatter_add_(2, low[..., None] - begin, weight_low[..., None])
    taps.scatter_add_(2, high[..., None] - begin, weight_high[..., None])
    return _Axis(places, slice(begin, end), taps)


def _interpolate(places: Tensor, extent: int) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    """The two pixels beside each place and their weights, 0 for places more than a pixel outside the map."""
    inside = ((places >= -1) & (places <= extent)).to(places.dtype)
    nearest = places.clamp(0, extent - 1)
    low = nearest.floor().long()
    fraction = nearest - low
    return low, (low + 1).clamp(max=extent - 1), (1 - fraction) * inside, fraction * inside


def _mean_taps(axis: _Axis) -> Tensor:
    """Weights of the pixels in the average of a bin, shape (bins, pixels)."""
    return axis.taps.sum(1) / max(axis.taps.size(1), 1)


def _maximum(maps: Tensor, y: _Axis, x: _Axis) -> Tuple[Tensor, Tensor, Tensor]:
    """Largest sample of each bin and its place along y and x, each of shape (C, bins of y, bins of x)."""
    samples = y.taps.flatten(0, 1) @ maps[:, y.span, x.span] @ x.taps.flatten(0, 1).t()
    bins = samples.unflatten(2, x.places.shape).unflatten(1, y.places.shape).transpose(2, 3).flatten(3)
    value, place = bins.max(3)
    columns = x.places.size(1)
    rows = torch.div(place, columns, rounding_mode='floor')
    place_y = y.places[torch.arange(y.places.size(0), device=maps.device)[:, None], rows]
    place_x = x.places[torch.arange(x.places.size(0), device=maps.device), place % columns]
    return value, place_y, place_x


def _scatter_maxima(grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor,
                    grad_input: Tensor) -> None:
    """Spread each gradient over the pixels from which its maximum was interpolated."""
    channels, height, width = grad_input.shape[1:]
    planes = rois[:, 0].long()[:, None] * channels + torch.arange(channels, device=rois.device)
    y_low, y_high, *y_weights = _interpolate(argmax_y, height)
    x_low, x_high, *x_weights = _interpolate(argmax_x, width)
    for y, y_weight in zip((y_low, y_high), y_weights):
        for x, x_weight in zip((x_low, x_high), x_weights):
            pixels = (planes[..., None, None] * height + y) * width + x
            grad_input.view(-1).index_add_(0, pixels.flatten(), (grad_output * y_weight * x_weight).flatten())
