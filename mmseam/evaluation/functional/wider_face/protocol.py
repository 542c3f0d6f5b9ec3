"""Exact implementation of the official WIDER FACE evaluation protocol for any number of subsets in one pass.

Definition (MATLAB tools of Yang et al., "WIDER FACE: A Face Detection Benchmark", CVPR 2016):

1. Scores are min-max normalized over the complete set; per image, detections are sorted by score, descending and
   stable.
2. A detection is matched to the face of largest IoU (a pixel added to widths and heights) among *all* faces of its
   image if that IoU is at least 0.5.
3. If the subset does not keep the face, the detection is ignored. If it does and the face is not yet found, the
   detection is a true positive. If the face is already found, or there is no face, it is a false positive.
4. Thresholds ``1 - t / T`` for t = 1 … T = 1000; at each, a detection counts if its score is at least the threshold.
   AP is the VOC all-points area under the monotone envelope of precision.

Only the keep-list depends on the subset, so matching is done once, and a subset takes two histograms over thresholds.
"""
from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Tuple, Union

import numpy as np

from .ground_truth import WIDERFaceGroundTruth
from .matching import WIDERFaceMatches, match_detections


@dataclass(frozen=True)
class WIDERFaceResult:
    """Evaluation result of one subset.

    Args:
        ap (float): Average precision in [0, 1]; NaN if the subset keeps no face.
        recall (np.ndarray): Shape (T,), by decreasing threshold.
        precision (np.ndarray): Shape (T,), without the monotone envelope; 0 where nothing is detected yet.
        thresholds (np.ndarray): Shape (T,), for normalized scores.
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
    """Evaluate the detections of a complete set.

    Args:
        ground_truth (WIDERFaceGroundTruth): The faces.
        detections (Mapping[str, np.ndarray]): Detections by image key, shape (n, 5): left, top, width, height in
            pixels of the original image (not rounded: truncation costs .5 to .8 points) and score on any scale, in any
            order. Missing images count as images without detections, with a warning.
        subsets (Mapping[str, np.ndarray], optional): Keep-lists as masks of shape (F,). Defaults to those of
            ``ground_truth``.
        num_thresholds (int): Number of thresholds. Defaults to 1000.
        int32_compat (bool): See :func:`match_detections`. Defaults to False.

    Returns:
        dict[str, WIDERFaceResult]: Results by subset, in the given order.

    Raises:
        ValueError: An array is malformed, or no image of the set has detections.

    Example:
        >>> from mmseam.evaluation.functional.wider_face.ground_truth import WIDERFaceGroundTruth
        >>> truth = WIDERFaceGroundTruth.from_images(
        ...     ['0--Parade/a'], [np.array([[10, 10, 40, 50], [200, 30, 12, 15]])],
        ...     subsets=dict(easy=[[True, False]], hard=[[True, True]]))
        >>> detections = {'0--Parade/a': np.array([[11, 9, 40, 50, 0.9], [300, 300, 20, 20, 0.2]])}
        >>> {subset: result.ap for subset, result in evaluate_wider_face(truth, detections).items()}
        {'easy': 1.0, 'hard': 0.5}
    """
    matches = match_detections(ground_truth, detections, num_thresholds, int32_compat)
    return score_subsets(matches, ground_truth.subsets if subsets is None else subsets)


def score_subsets(matches: WIDERFaceMatches, subsets: Mapping[str, np.ndarray]) -> Dict[str, WIDERFaceResult]:
    """Compute curves and AP of subsets from the matches of :func:`match_detections`.

    Args:
        matches (WIDERFaceMatches): Matches of one method.
        subsets (Mapping[str, np.ndarray]): Boolean masks of shape (F,).

    Returns:
        dict[str, WIDERFaceResult]: Results by subset, in the given order.
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
    """Compute recall and precision from cumulative counts.

    Args:
        found (np.ndarray): Shape (…, T), number of kept faces found at each threshold.
        proposals (np.ndarray): Shape (…, T), number of detections that are not ignored.
        num_faces (int or np.ndarray): Number of kept faces, broadcast against the counts.

    Returns:
        tuple[np.ndarray, np.ndarray]: Recall (NaN where there are no faces) and precision (0 where there are no
        proposals).
    """
    faces = np.broadcast_to(np.asarray(num_faces, dtype=np.float64), np.shape(found))
    recall = np.divide(found, faces, out=np.full(faces.shape, np.nan), where=faces > 0)
    precision = np.divide(found, proposals, out=np.zeros(faces.shape), where=proposals > 0)
    return recall, precision


def average_precision(recall: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Compute VOC all-points average precision along the last axis.

    Args:
        recall (np.ndarray): Shape (…, T), non-decreasing.
        precision (np.ndarray): Shape (…, T).

    Returns:
        np.ndarray: Shape (…,), NaN where recall is NaN.
    """
    envelope = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    steps = np.diff(recall, axis=-1, prepend=0.0)
    return (steps * envelope).sum(axis=-1)
