"""The official WIDER FACE evaluation protocol in NumPy, exact and for any number of subsets in one pass.

Definition (MATLAB tools of Yang et al., "WIDER FACE: A Face Detection Benchmark", CVPR 2016):

1. Scores are min-max normalized over the whole set; per image, detections are sorted by score, descending and stable.
2. A detection goes to the face of largest IoU (a pixel added to widths and heights) among *all* faces of its image, if
   that IoU is at least 0.5.
3. Face not kept by the subset: the detection counts as nothing. Face kept and not found before: true positive. Face
   kept and found before, or no face: false positive.
4. Thresholds ``1 - t / T`` for t = 1 … T = 1000; at each, a detection counts if its score is at least the threshold.
   AP is the VOC all-points area under the monotone envelope of precision.

Only the keep-list depends on the subset, so matching is done once, and a subset is two histograms over thresholds.
"""
from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Tuple, Union

import numpy as np

from .ground_truth import WIDERFaceGroundTruth
from .matching import WIDERFaceMatches, match_detections


@dataclass(frozen=True)
class WIDERFaceResult:
    """Outcome of one subset.

    Args:
        ap (float): Average precision in [0, 1]; NaN where the subset keeps no face.
        recall (np.ndarray): Shape (T,), by falling threshold.
        precision (np.ndarray): Shape (T,), not enveloped; 0 where nothing is detected yet.
        thresholds (np.ndarray): Shape (T,), on normalized scores.
        num_faces (int): Number of faces that the subset keeps.
    """

    ap: float
    recall: np.ndarray
    precision: np.ndarray
    thresholds: np.ndarray
    num_faces: int


def evaluate_wider_face(ground_truth: WIDERFaceGroundTruth,
                        detections: Mapping[str, np.ndarray],
                        subsets: Optional[Mapping[str, np.ndarray]] = None,
                        num_thresholds: int = 1000,
                        int32_compat: bool = False) -> Dict[str, WIDERFaceResult]:
    """Evaluate the detections of a whole set.

    Args:
        ground_truth (WIDERFaceGroundTruth): The faces.
        detections (Mapping[str, np.ndarray]): For each image key an array of shape (n, 5): left, top, width, height in
            pixels of the original image (unrounded: truncation costs .5 to .8 points) and score on any scale. Order
            does not matter; images that are missing count as images without detections, with a warning.
        subsets (Mapping[str, np.ndarray], optional): Keep-lists as masks of shape (F,). Defaults to those of
            ``ground_truth``.
        num_thresholds (int): Defaults to 1000.
        int32_compat (bool): See :func:`match_detections`. Defaults to False.

    Returns:
        dict[str, WIDERFaceResult]: By subset, in the given order.

    Raises:
        ValueError: On malformed arrays, and if no image of the set has an entry in ``detections``.
    """
    matches = match_detections(ground_truth, detections, num_thresholds, int32_compat)
    return score_subsets(matches, ground_truth.subsets if subsets is None else subsets)


def score_subsets(matches: WIDERFaceMatches, subsets: Mapping[str, np.ndarray]) -> Dict[str, WIDERFaceResult]:
    """Curves and AP of subsets from matches that :func:`match_detections` made.

    Args:
        matches (WIDERFaceMatches): Matches of one method.
        subsets (Mapping[str, np.ndarray]): Masks of shape (F,), bool.

    Returns:
        dict[str, WIDERFaceResult]: By subset, in the given order.
    """
    num_levels = len(matches.thresholds)
    unmatched = np.bincount(matches.level[matches.face < 0], minlength=num_levels)
    results = {}
    for name, keep in subsets.items():
        matched = matches.face >= 0
        matched[matched] = keep[matches.face[matched]]
        proposals = np.cumsum(unmatched + np.bincount(matches.level[matched], minlength=num_levels))
        found = np.cumsum(np.bincount(matches.level[matched & matches.first], minlength=num_levels))
        num_faces = int(np.count_nonzero(keep))
        recall, precision = recall_and_precision(found, proposals, num_faces)
        ap = float(average_precision(recall, precision))
        results[name] = WIDERFaceResult(ap, recall, precision, matches.thresholds, num_faces)
    return results


def recall_and_precision(found: np.ndarray, proposals: np.ndarray,
                         num_faces: Union[int, np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Curves from cumulated counts.

    Args:
        found (np.ndarray): Shape (…, T), number of kept faces found at each threshold.
        proposals (np.ndarray): Shape (…, T), number of detections that count.
        num_faces (int or np.ndarray): Number of kept faces, broadcast against the counts.

    Returns:
        tuple[np.ndarray, np.ndarray]: Recall (NaN where there is no face) and precision (0 where nothing counts).
    """
    faces = np.broadcast_to(np.asarray(num_faces, dtype=np.float64), np.shape(found))
    recall = np.divide(found, faces, out=np.full(faces.shape, np.nan), where=faces > 0)
    precision = np.divide(found, proposals, out=np.zeros(faces.shape), where=proposals > 0)
    return recall, precision


def average_precision(recall: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """VOC all-points average precision along the last axis.

    Args:
        recall (np.ndarray): Shape (…, T), not falling.
        precision (np.ndarray): Shape (…, T).

    Returns:
        np.ndarray: Shape (…,), NaN where recall is NaN.
    """
    envelope = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    steps = np.diff(recall, axis=-1, prepend=0.0)
    return (steps * envelope).sum(axis=-1)
