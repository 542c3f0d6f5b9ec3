"""IoU of one box with many, with the same float32 operations as mmcv's kernels."""
import numpy as np

__all__ = ['overlap', 'to_rows']


def to_rows(boxes: np.ndarray, offset: int) -> np.ndarray:
    """Convert boxes to the input format of :func:`overlap`.

    Args:
        boxes (np.ndarray): Boxes x1, y1, x2, y2, float32, shape (N, 4).
        offset (int): Added to widths and heights: 1 if x2 and y2 are the last pixels, else 0.

    Returns:
        np.ndarray: Rows x1, y1, -x2, -y2, area; float32, shape (5, N).
    """
    x1, y1, x2, y2 = boxes.T
    return np.stack([x1, y1, -x2, -y2, (x2 - x1 + offset) * (y2 - y1 + offset)])


def overlap(one: np.ndarray, many: np.ndarray, offset: int) -> np.ndarray:
    """Compute the IoU of one box with many; NaN if both have no area.

    Args:
        one (np.ndarray): One column of :func:`to_rows`, shape (5, 1).
        many (np.ndarray): Columns of :func:`to_rows`, shape (5, K).
        offset (int): See :func:`to_rows`.

    Returns:
        np.ndarray: float32, shape (K,).
    """
    # One maximum gives both ends of the intersections because x2 and y2 are negated
    ends = np.maximum(one[:4], many[:4])
    sizes = np.maximum(offset - (ends[:2] + ends[2:]), 0)
    intersection = sizes[0] * sizes[1]
    return intersection / (one[4] + many[4] - intersection)
