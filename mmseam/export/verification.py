"""Verify the outputs of an exported file against PyTorch."""
from pathlib import Path
from typing import Iterable, Iterator, List, NamedTuple, Optional

import numpy as np
import torch

from mmseam.inference.backends import load_backend
from mmseam.inference.metadata import ModelMetadata
from mmseam.models.utils import select_detections

from .export_model import ExportModel

BOX_TOLERANCE = .5
SCORE_TOLERANCE = 1e-3
# NMS is discontinuous: rounding can swap two boxes whose overlap is at the threshold
_UNMATCHED_SHARE = .01


class VerificationError(ValueError):
    """The outputs of an exported file differ from PyTorch."""


class Differences(NamedTuple):
    """Largest differences between an exported file and PyTorch.

    Args:
        images (int): Number of images compared.
        detections (int): Number of boxes compared: those with a score above the threshold of ``test_cfg``.
        boxes (float): Largest difference of a box coordinate, in pixels of the input.
        scores (float): Largest difference of a score; only of the final detections if the file includes NMS.
        unmatched (int): Number of final detections without a counterpart of the same class; 0 if the file does not
            include NMS.
    """
    images: int
    detections: int
    boxes: float
    scores: float
    unmatched: int


def verify_export(path: Path, model: ExportModel, images: Optional[Iterable[np.ndarray]] = None) -> Differences:
    """Compare the outputs of an exported file with PyTorch.

    Files with dynamic sizes run on batches of two images, padded to a common shape.

    Args:
        path (Path): The exported file.
        model (ExportModel): The model it was exported from.
        images (Iterable[np.ndarray], optional): BGR images (H, W, 3), uint8, of any size. Defaults to None:
            synthetic images.

    Returns:
        Differences: The largest differences.

    Raises:
        VerificationError: Boxes differ by more than 0.5 pixels, scores by more than 0.001, or more than 1% of the
            final detections have no counterpart.
    """
    backend = load_backend(path)
    metadata = backend.metadata
    compare = _compare_detections if metadata.has_nms else _compare_outputs
    parts: List[Differences] = []
    for batch in _batches(_synthetic_images(metadata) if images is None else images, 2 if metadata.dynamic else 1):
        inputs = backend.preprocessor(batch).inputs
        with torch.inference_mode():
            boxes, scores = (output.numpy() for output in model(torch.from_numpy(inputs)))
        parts.append(compare(backend, inputs, boxes, scores))
    if not parts:
        raise ValueError('there are no images to compare the exported file with PyTorch on')
    images_, detections, box, score, unmatched = zip(*parts)
    differences = Differences(sum(images_), sum(detections), max(box), max(score), sum(unmatched))
    _require_equal(differences, path)
    return differences


def _require_equal(differences: Differences, path: Path) -> None:
    problems = []
    if not differences.boxes <= BOX_TOLERANCE:  # also rejects NaN
        problems.append(f'boxes by {differences.boxes:.3g} pixels (allowed: {BOX_TOLERANCE})')
    if not differences.scores <= SCORE_TOLERANCE:
        problems.append(f'scores by {differences.scores:.3g} (allowed: {SCORE_TOLERANCE})')
    if differences.unmatched > max(1, _UNMATCHED_SHARE * differences.detections):
        problems.append(f'{differences.unmatched} of {differences.detections} detections have no counterpart')
    if problems:
        raise VerificationError(f'{path.name} differs from PyTorch: {"; ".join(problems)}; it was not kept')


def _compare_outputs(backend, inputs: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> Differences:
    found_boxes, found_scores = backend(inputs)
    if found_boxes.shape != boxes.shape or found_scores.shape != scores.shape:
        raise VerificationError(f'{backend.path.name} gives boxes {found_boxes.shape} and scores {found_scores.shape}, '
                                f'PyTorch {boxes.shape} and {scores.shape}')
    certain = scores.max(2) > backend.metadata.test_cfg.get('score_thr', 0)
    distances = np.abs(found_boxes - boxes)[certain]
    return Differences(len(inputs), len(distances), float(distances.max(initial=0)),
                       float(np.abs(found_scores - scores).max()), 0)


def _compare_detections(backend, inputs: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> Differences:
    number, unmatched, distances = 0, 0, []
    for found, *expected in zip(backend.detect(inputs), torch.from_numpy(boxes), torch.from_numpy(scores)):
        expected = select_detections(*expected, backend.metadata.test_cfg)
        rows = torch.column_stack([expected.bboxes, expected.scores, expected.labels]).numpy()
        nearest = _differences_to_nearest(found, rows)
        number += len(rows)
        distances.append(nearest)
        unmatched += len(rows) - len(nearest)
    box, score = np.concatenate(distances).max(axis=0, initial=0)
    return Differences(len(inputs), number, float(box), float(score), unmatched)


def _differences_to_nearest(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Compute box and score differences (M, 2) of expected rows matched by a found row of the same class."""
    if not len(found) or not len(expected):
        return np.zeros((0, 2))
    difference = np.abs(expected[:, None] - found)
    box = np.where(difference[..., 5] > 0, np.inf, difference[..., :4].max(2))
    nearest = box.argmin(1)
    rows = np.arange(len(expected))
    pairs = np.stack((box[rows, nearest], difference[rows, nearest, 4]), 1)
    return pairs[pairs[:, 0] <= BOX_TOLERANCE]


def _batches(images: Iterable[np.ndarray], size: int) -> Iterator[List[np.ndarray]]:
    batch: List[np.ndarray] = []
    for image in images:
        batch.append(image)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _synthetic_images(metadata: ModelMetadata) -> Iterator[np.ndarray]:
    """Generate blocky noise images of several shapes."""
    random = np.random.default_rng(0)
    height, width = metadata.input_size
    for rows, columns in ((height, width), (height, width // 2), (height // 2, width), (height, width)):
        coarse = random.integers(0, 256, (rows // 16 + 1, columns // 16 + 1, 3), np.uint8)
        yield np.kron(coarse, np.ones((16, 16, 1), np.uint8))[:rows, :columns]
