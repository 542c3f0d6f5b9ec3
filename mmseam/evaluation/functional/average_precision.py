"""COCO's average precision from matches of single images, so that images can be weighted, resampled and compared.

pycocotools evaluates a whole dataset at once. A bootstrap over images needs the AP of thousands of resamples: here each
image is matched once, and a resample is a vector of integer image weights. With equal weights, the AP equals that of
pycocotools (``COCOeval``, area "all").
"""
from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

COCO_IOU_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
RECALL_LEVELS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class ImageMatches:
    """Matches of the detections of one image, for T IoU thresholds.

    Args:
        scores (np.ndarray): Scores of the D detections, descending.
        true_positive (np.ndarray): Shape (T, D), whether a detection matches a ground truth that counts.
        ignored (np.ndarray): Shape (T, D), whether a detection matches an ignored ground truth and is not counted.
        gt_matched (np.ndarray): Shape (T, G), whether a ground truth is matched, ignored ones included.
        num_gt (int): Number of ground truths that count.
    """

    scores: np.ndarray
    true_positive: np.ndarray
    ignored: np.ndarray
    gt_matched: np.ndarray
    num_gt: int


# ======================== Matching ========================
def match_image(boxes: np.ndarray,
                scores: np.ndarray,
                gt_boxes: np.ndarray,
                gt_ignore: Optional[np.ndarray] = None,
                iou_thresholds: Sequence[float] = COCO_IOU_THRESHOLDS,
                max_dets: int = 300) -> ImageMatches:
    """Match the detections of one image and one class as COCO does, best score first.

    A detection takes the ground truth with the highest IoU among those that are not taken; an ignored ground truth only
    if no other reaches the threshold. An ignored ground truth is matched once (``ignore``, not ``iscrowd``).

    Args:
        boxes (np.ndarray): Shape (D, 4), left, top, right and bottom in pixels.
        scores (np.ndarray): Shape (D,).
        gt_boxes (np.ndarray): Shape (G, 4), in the same form.
        gt_ignore (np.ndarray, optional): Shape (G,), True for ground truths that do not count. Defaults to none.
        iou_thresholds (Sequence[float]): T thresholds. Defaults to COCO's ten, .50 to .95.
        max_dets (int): Number of best detections to evaluate. Defaults to 300.

    Returns:
        ImageMatches: Matches.

    Raises:
        ValueError: If shapes do not fit, or a number is not finite.
    """
    boxes, gt_boxes = _as_boxes('boxes', boxes), _as_boxes('gt_boxes', gt_boxes)
    scores = np.asarray(scores, dtype=np.float64)
    ignore = np.zeros(len(gt_boxes), bool) if gt_ignore is None else np.asarray(gt_ignore, bool)
    if scores.shape != (len(boxes), ) or ignore.shape != (len(gt_boxes), ):
        raise ValueError(f'{len(boxes)} boxes with scores of shape {scores.shape}, '
                         f'{len(gt_boxes)} ground truths with gt_ignore of shape {ignore.shape}')
    if not np.isfinite(scores).all():
        raise ValueError('scores must be finite')
    best_first = np.argsort(-scores, kind='stable')[:max_dets]
    ious = box_iou(boxes[best_first], gt_boxes)
    matched = np.stack([_assign(ious, ignore, threshold) for threshold in iou_thresholds])
    ignored = np.append(ignore, False)[matched]
    taken = np.zeros((len(matched), len(gt_boxes) + 1), bool)
    np.put_along_axis(taken, matched, True, axis=1)
    return ImageMatches(scores[best_first], (matched >= 0) & ~ignored, ignored, taken[:, :-1], int((~ignore).sum()))


def _as_boxes(name: str, boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4) if np.size(boxes) == 0 else np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
        raise ValueError(f'{name} must be finite numbers of shape (N, 4), got shape {boxes.shape}')
    return boxes


def box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the IoU of all pairs of boxes.

    Args:
        first (np.ndarray): Shape (N, 4), left, top, right and bottom.
        second (np.ndarray): Shape (M, 4).

    Returns:
        np.ndarray: Shape (N, M); 0 where both boxes are empty.
    """
    corner_low = np.maximum(first[:, None, :2], second[None, :, :2])
    corner_high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    intersection = (corner_high - corner_low).clip(0).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clip(0).prod(1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1] - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)


def _assign(ious: np.ndarray, ignore: np.ndarray, threshold: float) -> np.ndarray:
    """Find the ground truth of each detection at one threshold, (D,); -1 without one."""
    matched = np.full(len(ious), -1)
    eligible = ious >= min(threshold, 1 - 1e-10)
    free = np.ones(len(ignore), bool)
    for detection in np.flatnonzero(eligible.any(1)):
        for counted in (~ignore, ignore):
            candidates = np.flatnonzero(eligible[detection] & counted & free)
            if candidates.size:
                # Of equal IoUs, pycocotools takes the last one
                best = candidates[::-1][np.argmax(ious[detection, candidates[::-1]])]
                matched[detection], free[best] = best, False
                break
    return matched


# ======================== Average precision ========================
def average_precision(matches: Sequence[ImageMatches], weights: Optional[np.ndarray] = None) -> np.ndarray:
    """Compute the average precision at each IoU threshold.

    Args:
        matches (Sequence[ImageMatches]): Matches of N images, for the same thresholds.
        weights (np.ndarray, optional): Integer weights of the images, shape (N,), or (B, N) for B resamples; an image
            of weight 2 counts as if it were there twice. Defaults to one each.

    Returns:
        np.ndarray: AP of shape (T,) or (B, T); NaN without a ground truth that counts.

    Example:
        >>> truth = np.array([[0, 0, 10, 10], [20, 20, 30, 30]])
        >>> found = match_image(np.array([[0, 0, 10, 10], [50, 50, 60, 60]]), np.array([0.9, 0.8]), truth)
        >>> missed = match_image(np.empty((0, 4)), np.empty(0), truth)
        >>> average_precision([found])[0].round(3).item()  # at IoU .5: one of two boxes, before the false positive
        0.505
        >>> average_precision([found, missed], weights=np.array([[1, 1], [2, 0]]))[:, 0].round(3).tolist()
        [0.257, 0.505]
    """
    rows = _weight_rows(matches, weights)
    scores = np.concatenate([match.scores for match in matches])
    best_first = np.argsort(-scores, kind='stable')
    image = np.repeat(np.arange(len(matches)), [len(match.scores) for match in matches])[best_first]
    positive = np.concatenate([match.true_positive for match in matches], 1)[:, best_first]
    negative = ~positive & ~np.concatenate([match.ignored for match in matches], 1)[:, best_first]
    counted = rows @ np.array([match.num_gt for match in matches])
    result = np.full((len(rows), len(positive)), np.nan)
    for index, (row, total) in enumerate(zip(rows, counted)):
        if total:
            weight = row[image]
            result[index] = [
                _interpolated_ap(np.cumsum(weight * tp), np.cumsum(weight * fp), total)
                for tp, fp in zip(positive, negative)
            ]
    return result if weights is not None and weights.ndim == 2 else result[0]


def recall(matches: Sequence[ImageMatches], weights: Optional[np.ndarray] = None) -> np.ndarray:
    """Compute the recall at each IoU threshold, whatever the score.

    Args:
        matches (Sequence[ImageMatches]): Matches of N images, for the same thresholds.
        weights (np.ndarray, optional): As in :func:`average_precision`. Defaults to one each.

    Returns:
        np.ndarray: Recall of shape (T,) or (B, T); NaN without a ground truth that counts.
    """
    rows = _weight_rows(matches, weights)
    found = rows @ np.stack([match.true_positive.sum(1) for match in matches])
    counted = (rows @ np.array([match.num_gt for match in matches]))[:, None].astype(float)
    result = np.divide(found, counted, out=np.full(found.shape, np.nan), where=counted > 0)
    return result if weights is not None and weights.ndim == 2 else result[0]


def resampled_weights(num_images: int, num_resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """Draw the image weights of bootstrap resamples: N of N images with replacement.

    The same seed draws the same images for every model, so that the resamples of two models are paired.

    Args:
        num_images (int): Number of images N.
        num_resamples (int): Number of resamples B. Defaults to 1000.
        seed (int): Seed. Defaults to 0.

    Returns:
        np.ndarray: Integer weights of shape (B, N).
    """
    uniform = np.full(num_images, 1 / num_images)
    return np.random.default_rng(seed).multinomial(num_images, uniform, size=num_resamples)


def _weight_rows(matches: Sequence[ImageMatches], weights: Optional[np.ndarray]) -> np.ndarray:
    if not matches:
        raise ValueError('matches of at least one image are needed')
    rows = np.ones((1, len(matches)), int) if weights is None else np.atleast_2d(weights)
    if rows.shape[1] != len(matches) or rows.min() < 0:
        raise ValueError(f'{len(matches)} images need as many weights of at least 0, got shape {rows.shape}')
    return rows


def _interpolated_ap(true_positives: np.ndarray, false_positives: np.ndarray, num_gt: int) -> float:
    """Average the precision over COCO's 101 recall levels, from cumulative counts."""
    if not len(true_positives):
        return 0.0
    counted = true_positives + false_positives
    precision = np.divide(true_positives, counted, out=np.zeros(len(counted)), where=counted > 0)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(true_positives / num_gt, RECALL_LEVELS, side='left')
    return float(np.append(precision, 0.0)[first].mean())
