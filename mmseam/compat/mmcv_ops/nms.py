"""Non-maximum suppression with the results of mmcv's kernel.

torchvision's where it loads, else NumPy. OpenCV's ``cv2.dnn.NMSBoxes`` is not used, as measured with OpenCV 5.0: it
lets two boxes without area suppress each other, rounds otherwise, so that an IoU equal to the threshold (1/10, 7/20)
may suppress, and compares every pair of kept boxes (6 s for 30,000 scattered boxes on one core; this form 1 s).
"""
from typing import Tuple

import numpy as np
import torch
from torch import Tensor

from mmseam.compat.mmcv_ops.box_overlap import overlap, to_rows
from mmseam.compat.mmcv_ops.torchvision_ops import torchvision_ops

__all__ = ['nms']


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Greedy suppression of every box whose IoU with a kept box of higher score exceeds a threshold.

    Args:
        boxes (Tensor): Boxes x1, y1, x2, y2, shape (N, 4).
        scores (Tensor): Scores of any value and sign, shape (N,); of equal scores the first box goes first.
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
        # torchvision knows no offset, but a box that ends one pixel later has the same widths.
        far_corner = boxes.new_tensor([0, 0, offset, offset], dtype=torch.float32)
        return compiled.nms(boxes.float() + far_corner, scores.float(), threshold)
    order = scores.sort(descending=True, stable=True)[1].cpu().numpy()
    kept = _suppress(boxes.detach().cpu().float().numpy(), order, threshold, offset)
    return torch.from_numpy(kept).to(boxes.device)


def _suppress(boxes: np.ndarray, order: np.ndarray, threshold: float, offset: int) -> np.ndarray:
    """Indices of the kept boxes; only boxes within reach along x are compared, which is most of the speed."""
    by_x = np.argsort(boxes[:, 0], kind='stable')
    place = np.empty_like(by_x)
    place[by_x] = np.arange(len(by_x))
    rows = to_rows(boxes[by_x], offset)
    starts, stops = _reach(rows, threshold, offset)
    alive = np.ones(len(by_x), dtype=bool)
    kept = []
    with np.errstate(all='ignore'):  # no area: 0 / 0, a NaN, which does not exceed the threshold
        for index in order.tolist():
            at = place[index]
            if not alive[at]:
                continue
            kept.append(index)
            near = slice(starts[at], stops[at])
            alive[near] &= ~(overlap(rows[:, at:at + 1], rows[:, near], offset) > np.float32(threshold))
    return np.array(kept, dtype=np.int64)


def _reach(rows: np.ndarray, threshold: float, offset: int) -> Tuple[np.ndarray, np.ndarray]:
    """First and last + 1 place, in the order of x1, of the boxes that each box could suppress.

    An IoU above t > 0 needs a common part, hence x1 below the other's x2, and widths of a ratio below 1 / t.
    """
    count = rows.shape[1]
    if not threshold > 0:
        return np.zeros(count, dtype=int), np.full(count, count)
    x1, x2 = rows[0].astype(np.float64), -rows[2].astype(np.float64) + offset
    widest = np.maximum(x2 - x1, 0) / threshold * 1.001  # a thousandth for the rounding of the IoU
    starts = np.searchsorted(x1, x1 - widest)
    return starts, np.maximum(starts, np.searchsorted(x1, x2, side='right'))
