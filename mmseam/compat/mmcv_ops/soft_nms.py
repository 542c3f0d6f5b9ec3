"""Soft-NMS with the results of mmcv's CPU kernel (mmcv has no other).

Bodla et al., "Soft-NMS -- Improving Object Detection With One Line of Code", ICCV 2017, algorithm in Fig. 2.
"""
import numpy as np
import torch
from torch import Tensor

from mmseam.compat.mmcv_ops.box_overlap import overlap, to_rows

__all__ = ['softnms']

_NAIVE, _LINEAR = 0, 1


def softnms(boxes: Tensor, scores: Tensor, dets: Tensor, iou_threshold: float, sigma: float, min_score: float,
            method: int, offset: int) -> Tensor:
    """Lower the scores of boxes that overlap a better one, and drop those that fall below a minimum.

    Args:
        boxes (Tensor): Boxes x1, y1, x2, y2 on the CPU, shape (N, 4).
        scores (Tensor): Shape (N,).
        dets (Tensor): Filled in place, shape (N, 5): its first K rows become the boxes and decayed scores of the K
            kept boxes, in the order of selection.
        iou_threshold (float): IoU at which ``method`` 0 and 1 start to lower a score.
        sigma (float): Width of ``method`` 2.
        min_score (float): Boxes whose score falls below it are dropped; the best box is always kept.
        method (int): 0 naive, score × 0; 1 linear, score × (1 - IoU); 2 Gaussian, score × exp(-IoU² / sigma).
        offset (int): Added to widths and heights: 1 if x2 and y2 are the last pixels, else 0.

    Returns:
        Tensor: Indices of the kept boxes, int64, shape (K,).
    """
    corners = boxes.detach().float().numpy()
    table = np.concatenate([to_rows(corners, offset), scores.detach().float().numpy()[None]])
    indices = np.arange(len(corners))
    left, chosen = len(corners), 0
    while chosen < left:
        best = chosen + int(table[5, chosen:left].argmax())
        for array in (table, indices):
            array[..., [chosen, best]] = array[..., [best, chosen]]
        rest = slice(chosen + 1, left)
        with np.errstate(all='ignore'):  # no area: 0 / 0
            iou = overlap(table[:, chosen:chosen + 1], table[:, rest], offset)
        table[5, rest] *= _decay(iou, iou_threshold, sigma, method)
        lost = table[5, rest] < min_score
        for array in (table, indices):
            _close_gaps(array[..., rest], lost)
        chosen += 1
        left -= int(lost.sum())
    kept = indices[:left]
    dets[:left, :4] = torch.from_numpy(corners[kept])
    dets[:left, 4] = torch.from_numpy(table[5, :left])
    return torch.from_numpy(kept)


def _decay(iou: np.ndarray, iou_threshold: float, sigma: float, method: int) -> np.ndarray:
    """Compute the factors of the scores."""
    if method not in (_NAIVE, _LINEAR):
        return np.exp(-(iou * iou) / np.float32(sigma))
    lowered = np.zeros_like(iou) if method == _NAIVE else 1 - iou
    return np.where(iou >= np.float32(iou_threshold), lowered, np.float32(1))


def _close_gaps(columns: np.ndarray, lost: np.ndarray) -> None:
    """Move the last columns into the gaps of dropped ones, like the kernel; the order decides between ties."""
    count = int((~lost).sum())
    gaps = np.flatnonzero(lost[:count])
    columns[..., gaps] = columns[..., count + np.flatnonzero(~lost[count:])[::-1]]
