"""Which detection finds which face: the part of the WIDER FACE protocol that does not depend on the subset.

A detection goes to the face of largest overlap, whether a subset keeps that face or not, and there is no second choice.
So one pass over all pairs serves any number of keep-lists.
"""
import warnings
from dataclasses import dataclass
from typing import Iterator, Mapping, Tuple

import numpy as np

from .ground_truth import WIDERFaceGroundTruth

IOU_THRESHOLD = 0.5
_INT32 = np.iinfo(np.int32)
_PAIRS_TO_COMPARE = 1 << 15  # the temporaries stay in the cache
_PAIRS_TO_MEASURE = 1 << 17  # bounds the temporaries to some 30 MB
_SLACK = 2.0  # pixels


@dataclass(frozen=True)
class WIDERFaceMatches:
    """Every detection of a set reduced to four numbers, in no particular order.

    Args:
        thresholds (np.ndarray): Shape (T,), falling from 1 - 1/T to 0, on normalized scores.
        face_image (np.ndarray): Shape (F,), image of each face.
        num_images (int): N.
        image (np.ndarray): Shape (D,), int32, image of each detection.
        level (np.ndarray): Shape (D,), int32, first threshold that the detection passes.
        face (np.ndarray): Shape (D,), int32, face of largest IoU where that is at least 0.5, else -1.
        first (np.ndarray): Shape (D,), bool, whether it is the best scored detection of that face.
    """

    thresholds: np.ndarray
    face_image: np.ndarray
    num_images: int
    image: np.ndarray
    level: np.ndarray
    face: np.ndarray
    first: np.ndarray


def match_detections(ground_truth: WIDERFaceGroundTruth,
                     detections: Mapping[str, np.ndarray],
                     num_thresholds: int = 1000,
                     int32_compat: bool = False) -> WIDERFaceMatches:
    """Match the detections of a whole set.

    Detections of images without any annotated face take part in the normalization of scores and in nothing else, as in
    the official code (WIDER FACE val has no such image).

    Args:
        ground_truth (WIDERFaceGroundTruth): The faces.
        detections (Mapping[str, np.ndarray]): For each image key an array of shape (n, 5): left, top, width, height,
            score; in any order; n may be 0.
        num_thresholds (int): T. Defaults to 1000, as in the official code.
        int32_compat (bool): Whether to compute overlaps as MATLAB does with the int32 boxes of the ``.mat`` files,
            which rounds intermediate values and the overlap itself. Defaults to False.

    Returns:
        WIDERFaceMatches: What all subsets share.

    Raises:
        ValueError: If an array has another shape or a NaN or infinity, or no image of the set has an entry.
    """
    rows, offsets = _join(ground_truth, detections)
    faces = ground_truth.boxes
    best = np.full(len(rows), -1, dtype=np.int32)
    overlap = _overlap_int32 if int32_compat else _overlap
    for row, face in _near_pairs(rows, offsets, faces, ground_truth.offsets):
        row, face = _largest(row, face, overlap(rows[row, :4], faces[face]))
        best[row] = face
    # Images without faces: their scores count in the normalization, their detections nowhere.
    counted = np.repeat(np.diff(ground_truth.offsets) > 0, np.diff(offsets))
    image = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
    thresholds = 1 - np.arange(1, num_thresholds + 1) / num_thresholds
    level = np.searchsorted(-thresholds, -_normalize(rows[:, 4]), side='left').astype(np.int32)
    return WIDERFaceMatches(thresholds, ground_truth.face_image(), ground_truth.num_images, image[counted],
                            level[counted], best[counted], _first_of_face(best, rows[:, 4])[counted])


def _join(ground_truth: WIDERFaceGroundTruth, detections: Mapping[str, np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Rows of all images in the order of the ground truth, and where each image begins; says what does not pair up."""
    keys = ground_truth.keys
    found = [_checked(key, detections[key]) if key in detections else None for key in keys]
    missing = sum(rows is None for rows in found)
    extra = len(detections) - (len(keys) - missing)
    if missing == len(keys):
        example = next(iter(detections), None)
        raise ValueError(f'none of the {len(detections)} images with detections (such as {example!r}) is one of the '
                         f'{len(keys)} images of the set (such as {keys[0]!r}): is it the right split?')
    if missing:
        warnings.warn(f'{missing} of {len(keys)} images have no result: they count as images without detections',
                      stacklevel=3)
    if extra:
        warnings.warn(f'{extra} images with detections are not in the set: they are left out', stacklevel=3)
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
        raise ValueError(f'detection {bad} of {key!r} holds a NaN or an infinity: {rows[bad].tolist()}')
    return rows


def _normalize(score: np.ndarray) -> np.ndarray:
    if score.size == 0 or score.min() == score.max():
        return np.zeros_like(score)  # 0/0 in the protocol; the curve has one point, whatever the value
    return (score - score.min()) / (score.max() - score.min())


def _near_pairs(rows: np.ndarray, offsets: np.ndarray, faces: np.ndarray,
                face_offsets: np.ndarray) -> Iterator[Tuple[np.ndarray, ...]]:
    """Pairs of detection and face of the same image that may overlap, by detection, then face, some at a time.

    Most pairs of an image lie apart; the slack covers the pixel that IoU adds and the rounding of ``int32_compat``.
    All pairs of a detection come together.
    """
    # Contiguous columns: the comparisons then run vectorized.
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
    """Ranges of rows and of faces of one image that are compared at once."""
    images = np.flatnonzero((np.diff(offsets) > 0) & (np.diff(face_offsets) > 0))
    for begin, end, first, last in zip(offsets[images].tolist(), offsets[images + 1].tolist(),
                                       face_offsets[images].tolist(), face_offsets[images + 1].tolist()):
        step = max(1, _PAIRS_TO_COMPARE // (last - first))
        for start in range(begin, end, step):
            yield start, min(start + step, end), first, last


def _largest(row: np.ndarray, face: np.ndarray, overlap: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Of each row the face of largest overlap, the first of equals, where that reaches the threshold."""
    enough = overlap >= IOU_THRESHOLD
    row, face, overlap = row[enough], face[enough], overlap[enough]
    order = np.lexsort((-overlap, row))  # stable: of equal overlaps the first face stays first
    row, face = row[order], face[order]
    largest = np.ones(len(row), dtype=bool)
    largest[1:] = row[1:] != row[:-1]
    return row[largest], face[largest]


def _overlap(boxes: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """IoU of shape (n,) of pairs of xywh boxes, a pixel added to each width and height; 0 where boxes do not meet.

    The sides are computed from corners, ``(x + w) - x + 1``, because the official code does so and the last bit counts.
    """
    end, face_end = boxes[:, :2] + boxes[:, 2:], faces[:, :2] + faces[:, 2:]
    sides = np.minimum(end, face_end) - np.maximum(boxes[:, :2], faces[:, :2]) + 1
    inter = _area(sides)
    union = _area(end - boxes[:, :2] + 1) + _area(face_end - faces[:, :2] + 1) - inter
    # Boxes that meet have positive areas, so the union divides only where the mask keeps the quotient.
    return np.divide(inter, union, out=np.zeros_like(inter), where=(sides > 0).all(axis=1))


def _overlap_int32(boxes: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """:func:`_overlap` in MATLAB's mixed arithmetic: ``int32 op double`` is rounded and saturated to int32.

    The faces are int32, the detections double. The last division is int32 too: every overlap becomes 0 or 1 (or more),
    so the first face with IoU >= 0.5 wins instead of the best.
    """
    faces = _to_int32(faces)
    end, face_end = boxes[:, :2] + boxes[:, 2:], _to_int32(faces[:, :2] + faces[:, 2:])
    low, high = _to_int32(np.maximum(boxes[:, :2], faces[:, :2])), _to_int32(np.minimum(end, face_end))
    sides = _to_int32(_to_int32(high - low) + 1)
    inter = _to_int32(_area(sides))
    face_area = _to_int32(_area(_to_int32(_to_int32(face_end - faces[:, :2]) + 1)))
    union = _to_int32(_to_int32(face_area + _area(end - boxes[:, :2] + 1)) - inter)
    # Rounding can leave a union of 0 under an intersection; MATLAB's int32 quotient is then the largest int32.
    ratio = np.divide(inter, union, out=np.full_like(inter, _INT32.max), where=union != 0)
    return np.where((sides > 0).all(axis=1), _to_int32(ratio), 0)


def _area(sides: np.ndarray) -> np.ndarray:
    return sides[:, 0] * sides[:, 1]


def _to_int32(values: np.ndarray) -> np.ndarray:
    """Float64 values as MATLAB's ``int32()`` makes them: halves away from zero, saturated."""
    whole = np.trunc(values)
    away = np.where(np.abs(values - whole) >= 0.5, np.sign(values), 0)
    return np.clip(whole + away, _INT32.min, _INT32.max)


def _first_of_face(face: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Mask of the detection of highest score of every face, the first row among equals."""
    matched = np.flatnonzero(face >= 0)
    order = matched[np.argsort(-score[matched], kind='stable')]
    _, where = np.unique(face[order], return_index=True)
    first = np.zeros(len(face), dtype=bool)
    first[order[where]] = True
    return first

