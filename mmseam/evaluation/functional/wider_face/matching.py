"""Matching of detections to faces, the part of the WIDER FACE protocol that does not depend on the subset.

A detection is matched to the face of largest overlap, whether or not a subset keeps that face; there is no second
choice. Therefore one pass over all pairs is enough for any number of keep-lists.
"""
import warnings
from dataclasses import dataclass
from typing import Iterator, Mapping, Tuple

import numpy as np

from .ground_truth import WIDERFaceGroundTruth

IOU_THRESHOLD = 0.5
_INT32 = np.iinfo(np.int32)
_PAIRS_TO_COMPARE = 1 << 15  # keeps temporary arrays in the CPU cache
_PAIRS_TO_MEASURE = 1 << 17  # limits temporary arrays to about 30 MB
_SLACK = 2.0  # pixels


@dataclass(frozen=True)
class WIDERFaceMatches:
    """Matches of all detections of a set, in no particular order.

    Args:
        thresholds (np.ndarray): Shape (T,), decreasing from 1 - 1/T to 0, for normalized scores.
        face_image (np.ndarray): Shape (F,), image index of each face.
        num_images (int): Number of images N.
        image (np.ndarray): Shape (D,), int32, image index of each detection.
        level (np.ndarray): Shape (D,), int32, index of the first threshold that the detection passes.
        face (np.ndarray): Shape (D,), int32, index of the face of largest IoU if that is at least 0.5, else -1.
        first (np.ndarray): Shape (D,), bool, whether the detection has the highest score of those of its face.
    """

    thresholds: np.ndarray
    face_image: np.ndarray
    num_images: int
    image: np.ndarray
    level: np.ndarray
    face: np.ndarray
    first: np.ndarray


def detection_rows(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Convert the detections of an image to the rows of the protocol.

    Args:
        boxes (np.ndarray): x1, y1, x2, y2 in pixels of the original image, (n, 4).
        scores (np.ndarray): Scores, (n,).

    Returns:
        np.ndarray: left, top, width, height, score, float64 (n, 5).
    """
    boxes = boxes.astype(np.float64)  # sides in full precision
    return np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2], scores])


def match_detections(ground_truth: WIDERFaceGroundTruth,
                     detections: Mapping[str, np.ndarray],
                     num_thresholds: int = 1000,
                     int32_compat: bool = False) -> WIDERFaceMatches:
    """Match the detections of a complete set.

    Detections of images without any annotated face only affect the normalization of scores, as in the official code
    (WIDER FACE val has no such image).

    Args:
        ground_truth (WIDERFaceGroundTruth): The faces.
        detections (Mapping[str, np.ndarray]): Detections by image key, shape (n, 5): left, top, width, height, score;
            in any order; n may be 0.
        num_thresholds (int): Number of thresholds T. Defaults to 1000, as in the official code.
        int32_compat (bool): Whether to compute overlaps like MATLAB with the int32 boxes of the ``.mat`` files, which
            rounds intermediate values and the overlap itself. Defaults to False.

    Returns:
        WIDERFaceMatches: Matches for any subset.

    Raises:
        ValueError: An array has a wrong shape, NaN or infinity, or no image of the set has detections.
    """
    rows, offsets = _join(ground_truth, detections)
    faces = ground_truth.boxes
    best = np.full(len(rows), -1, dtype=np.int32)
    overlap = _overlap_int32 if int32_compat else _overlap
    for row, face in _near_pairs(rows, offsets, faces, ground_truth.offsets):
        row, face = _largest(row, face, overlap(rows[row, :4], faces[face]))
        best[row] = face
    # Images without faces count in the normalization only.
    counted = np.repeat(np.diff(ground_truth.offsets) > 0, np.diff(offsets))
    image = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
    thresholds = 1 - np.arange(1, num_thresholds + 1) / num_thresholds
    level = np.searchsorted(-thresholds, -_normalize(rows[:, 4]), side='left').astype(np.int32)
    return WIDERFaceMatches(thresholds, ground_truth.face_image(), ground_truth.num_images, image[counted],
                            level[counted], best[counted], _first_of_face(best, rows[:, 4])[counted])


def _join(ground_truth: WIDERFaceGroundTruth, detections: Mapping[str, np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Concatenate detections in the order of the ground truth, return image offsets, and warn of mismatched images."""
    keys = ground_truth.keys
    found = [_checked(key, detections[key]) if key in detections else None for key in keys]
    missing = sum(rows is None for rows in found)
    extra = len(detections) - (len(keys) - missing)
    if missing == len(keys):
        example = next(iter(detections), None)
        raise ValueError(f'none of the {len(detections)} images with detections (such as {example!r}) is one of the '
                         f'{len(keys)} images of the set (such as {keys[0]!r}): is this the right split?')
    if missing:
        warnings.warn(f'{missing} of {len(keys)} images have no result and count as images without detections',
                      stacklevel=3)
    if extra:
        warnings.warn(f'{extra} images with detections are not in the set and are ignored', stacklevel=3)
    per_image = [np.empty((0, 5)) if rows is None else rows for rows in found]
    return np.concatenate(per_image), np.concatenate([[0], np.cumsum([len(rows) for rows in per_image])])


def _checked(key: str, rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, dtype=np.float64)
    if rows.size == 0:
        return rows.reshape(0, 5)
    if rows.ndim != 2 or rows.shape[1] != 5:
        raise ValueError(f'detections of {key!r} have shape {rows.shape}, not (n, 5): left, top, width, height, score')
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise ValueError(f'detection {bad} of {key!r} contains NaN or infinity: {rows[bad].tolist()}')
    return rows


def _normalize(score: np.ndarray) -> np.ndarray:
    if score.size == 0 or score.min() == score.max():
        return np.zeros_like(score)  # 0/0 in the protocol; the curve has one point for any value
    return (score - score.min()) / (score.max() - score.min())


def _near_pairs(rows: np.ndarray, offsets: np.ndarray, faces: np.ndarray,
                face_offsets: np.ndarray) -> Iterator[Tuple[np.ndarray, ...]]:
    """Yield chunks of (detection, face) pairs of the same image that may overlap, sorted by detection, then face.

    Most pairs of an image do not overlap. The slack covers the pixel that IoU adds and the rounding of
    ``int32_compat``. All pairs of a detection are in the same chunk.
    """
    # Contiguous columns, so that the comparisons are vectorized.
    left, top, width, height = np.ascontiguousarray(rows[:, :4].T)[:, :, None]
    sides = left - _SLACK, left + width + _SLACK, top - _SLACK, top + height + _SLACK
    face_left, face_top, face_width, face_height = np.ascontiguousarray(faces.T)
    face_sides = face_left + face_width, face_left, face_top + face_height, face_top
    waiting, size = [], 0
    for begin, end, first, last in _blocks(offsets, face_offsets):
        left, right, top, bottom = (side[begin:end] for side in sides)
        face_right, face_left, face_bottom, face_top = (side[first:last] for side in face_sides)
        near = left <= face_right
        near &= right >= face_left
        near &= top <= face_bottom
        near &= bottom >= face_top
        row, face = np.divmod(np.flatnonzero(near), last - first)
        waiting.append((row + begin, face + first))
        size += len(row)
        if size >= _PAIRS_TO_MEASURE:
            yield tuple(map(np.concatenate, zip(*waiting)))
            waiting, size = [], 0
    if waiting:
        yield tuple(map(np.concatenate, zip(*waiting)))


def _blocks(offsets: np.ndarray, face_offsets: np.ndarray) -> Iterator[Tuple[int, int, int, int]]:
    """Yield ranges of detections and faces of one image to compare at once."""
    images = np.flatnonzero((np.diff(offsets) > 0) & (np.diff(face_offsets) > 0))
    for begin, end, first, last in zip(offsets[images].tolist(), offsets[images + 1].tolist(),
                                       face_offsets[images].tolist(), face_offsets[images + 1].tolist()):
        step = max(1, _PAIRS_TO_COMPARE // (last - first))
        for start in range(begin, end, step):
            yield start, min(start + step, end), first, last


def _largest(row: np.ndarray, face: np.ndarray, overlap: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Select for each row the face of largest overlap (the first among equals) if that reaches the threshold."""
    enough = overlap >= IOU_THRESHOLD
    row, face, overlap = row[enough], face[enough], overlap[enough]
    order = np.lexsort((-overlap, row))  # stable: of equal overlaps the first face stays first
    row, face = row[order], face[order]
    largest = np.ones(len(row), dtype=bool)
    largest[1:] = row[1:] != row[:-1]
    return row[largest], face[largest]


def _overlap(boxes: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Compute the IoU of pairs of xywh boxes, shape (n,), with a pixel added to each width and height.

    The sides are computed from corners, ``(x + w) - x + 1``, to agree with the official code to the last bit.
    """
    end, face_end = boxes[:, :2] + boxes[:, 2:], faces[:, :2] + faces[:, 2:]
    sides = np.minimum(end, face_end) - np.maximum(boxes[:, :2], faces[:, :2]) + 1
    inter = _area(sides)
    union = _area(end - boxes[:, :2] + 1) + _area(face_end - faces[:, :2] + 1) - inter
    # Overlapping boxes have positive areas, so there is no division by zero under the mask.
    return np.divide(inter, union, out=np.zeros_like(inter), where=(sides > 0).all(axis=1))


def _overlap_int32(boxes: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Compute :func:`_overlap` in MATLAB's mixed arithmetic: ``int32 op double`` is rounded and saturated to int32.

    Faces are int32, detections double. The final division is also int32: every overlap becomes 0 or 1 (or more), so
    the first face with IoU >= 0.5 is matched instead of the best.
    """
    faces = _to_int32(faces)
    end, face_end = boxes[:, :2] + boxes[:, 2:], _to_int32(faces[:, :2] + faces[:, 2:])
    low, high = _to_int32(np.maximum(boxes[:, :2], faces[:, :2])), _to_int32(np.minimum(end, face_end))
    sides = _to_int32(_to_int32(high - low) + 1)
    inter = _to_int32(_area(sides))
    face_area = _to_int32(_area(_to_int32(_to_int32(face_end - faces[:, :2]) + 1)))
    union = _to_int32(_to_int32(face_area + _area(end - boxes[:, :2] + 1)) - inter)
    # Rounding can make the union 0 for a nonzero intersection; MATLAB's int32 quotient is then the largest int32.
    ratio = np.divide(inter, union, out=np.full_like(inter, _INT32.max), where=union != 0)
    return np.where((sides > 0).all(axis=1), _to_int32(ratio), 0)


def _area(sides: np.ndarray) -> np.ndarray:
    return sides[:, 0] * sides[:, 1]


def _to_int32(values: np.ndarray) -> np.ndarray:
    """Round float64 values like MATLAB's ``int32()``: half away from zero, saturated."""
    whole = np.trunc(values)
    away = np.where(np.abs(values - whole) >= 0.5, np.sign(values), 0)
    return np.clip(whole + away, _INT32.min, _INT32.max)


def _first_of_face(face: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return a mask of the highest-scoring detection of every face, the first row among equals."""
    matched = np.flatnonzero(face >= 0)
    order = matched[np.argsort(-score[matched], kind='stable')]
    _, where = np.unique(face[order], return_index=True)
    first = np.zeros(len(face), dtype=bool)
    first[order[where]] = True
    return first

