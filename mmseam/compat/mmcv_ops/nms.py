"""Non-maximum suppression with the results of mmcv's kernel.

Uses torchvision if it loads, else NumPy. OpenCV's ``cv2.dnn.NMSBoxes`` is not used (measured with OpenCV 5.0): two
boxes without area suppress each other, its rounding lets an IoU equal to the threshold (1/10, 7/20) suppress, and it
compares every pair of kept boxes (6 s for 30,000 scattered boxes on one core; this implementation 1 s).
"""
from typing import Tuple

import numpy as np
import torch
from torch import Tensor

from mmseam.compat.mmcv_ops.box_overlap import overlap, to_rows
from mmseam.compat.mmcv_ops.torchvision_ops import torchvision_ops

__all__ = ['nms']

_GROUP = 128  # boxes per group: enough to amortize NumPy's calls, few enough to compare all pairs
_BLOCK = 16  # suppressors compared at once: neighbors along x, so that they reach nearly the same boxes


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Suppress every box whose IoU with a kept box of higher score exceeds a threshold.

    Args:
        boxes (Tensor): Boxes x1, y1, x2, y2, shape (N, 4).
        scores (Tensor): Scores of any value and sign, shape (N,); ties are broken by index.
        iou_threshold (float): An IoU equal to it does not suppress.
        offset (int): Added to widths and heights: 1 where x2 and y2 are the last pixels, else 0.

    Returns:
        Tensor: Indices of the kept boxes by descending score, int64, on the device of ``boxes``.
    """
    if boxes.numel() == 0:
        return boxes.new_empty(0, dtype=torch.long)
    # mmcv compares in float32; torchvision's CPU kernel would compare a float32 IoU with a float64 threshold.
    threshold = float(np.float32(iou_threshold))
    compiled = torchvision_ops(boxes.device.type)
    if compiled is not None:
        # torchvision has no offset, but a box that ends one pixel later has the same widths.
        far_corner = boxes.new_tensor([0, 0, offset, offset], dtype=torch.float32)
        return compiled.nms(boxes.float() + far_corner, scores.float(), threshold)
    order = scores.sort(descending=True, stable=True)[1].cpu().numpy()
    kept = _suppress(boxes.detach().cpu().float().numpy(), order, threshold, offset)
    return torch.from_numpy(kept).to(boxes.device)


def _suppress(boxes: np.ndarray, order: np.ndarray, threshold: float, offset: int) -> np.ndarray:
    """Return the indices of the kept boxes; each group of best boxes is resolved, then suppresses the rest."""
    rows = to_rows(boxes, offset)
    by_x = np.argsort(boxes[:, 0], kind='stable')
    alive = np.ones(len(boxes), dtype=bool)
    kept = []
    with np.errstate(all='ignore'):  # no area: 0 / 0, a NaN, which does not exceed the threshold
        while len(order):
            group, order = order[:_GROUP], order[_GROUP:]
            kept.append(group[_settle(rows.take(group, axis=1), threshold, offset)])
            alive[group] = False
            by_x = by_x[alive[by_x]]
            suppressors = rows.take(kept[-1][np.argsort(rows[0, kept[-1]])], axis=1)
            alive[by_x] = ~_suppressed(suppressors, rows.take(by_x, axis=1), threshold, offset)
            order = order[alive[order]]
    return np.concatenate(kept)


def _settle(rows: np.ndarray, threshold: float, offset: int) -> np.ndarray:
    """Return the mask of boxes that greedy suppression keeps; compares all pairs."""
    spares = ~(overlap(rows[:, :, None], rows[:, None], offset) > np.float32(threshold))
    alive = np.ones(rows.shape[1], dtype=bool)
    for index, spared in enumerate(spares):
        if alive[index]:
            alive[index + 1:] &= spared[index + 1:]
    return alive


def _suppressed(suppressors: np.ndarray, rows: np.ndarray, threshold: float, offset: int) -> np.ndarray:
    """Return the mask of boxes that any suppressor suppresses; both sorted by x1.

    Comparing only boxes within reach along x gives most of the speed.
    """
    mask = np.zeros(rows.shape[1], dtype=bool)
    starts, stops = _reach(suppressors, rows, threshold, offset)
    for first in range(0, len(starts), _BLOCK):
        block = slice(first, first + _BLOCK)
        near = slice(starts[block].min(), stops[block].max())
        ious = overlap(suppressors[:, block, None], rows[:, None, near], offset)
        mask[near] |= (ious > np.float32(threshold)).any(0)
    return mask


def _reach(suppressors: np.ndarray, rows: np.ndarray, threshold: float, offset: int) -> Tuple[np.ndarray, np.ndarray]:
    """Return the first and last + 1 index of the boxes that each suppressor could suppress.

    An IoU above t > 0 requires an intersection, hence x1 below the other's x2, and a ratio of widths below 1 / t.
    """
    if not threshold > 0:
        return np.zeros(suppressors.shape[1], dtype=int), np.full(suppressors.shape[1], rows.shape[1])
    x1, x2 = suppressors[0].astype(np.float64), -suppressors[2].astype(np.float64) + offset
    widest = np.maximum(x2 - x1, 0) / threshold * 1.001  # a thousandth for the rounding of the IoU
    lefts = rows[0].astype(np.float64)
    starts = np.searchsorted(lefts, x1 - widest)
    return starts, np.maximum(starts, np.searchsorted(lefts, x2, side='right'))
