"""The same faces, cut out of their images uncovered and covered, and the detector that looks at them."""
from typing import Iterator, List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np
from torch import nn

from mmseam.datasets.occlusion import BoxSample, clip_box
from mmseam.inference.detector import load_detector
from mmseam.inference.media import read_image
from mmseam.inference.preprocessing import ImagePreprocessor
from mmseam.inference.trained_detector import load_trained_detector
from mmseam.utils.config import load_config

from .occlusion_curves.curves import cover_sample, donor_pool

_CONTEXT = 1.0  # sides of the box to show on each side of it


class FacePair(NamedTuple):
    """One face with its surroundings, up to three times as wide and high as its box.

    Args:
        uncovered (np.ndarray): Pixels (H, W, 3), BGR, uint8.
        covered (np.ndarray): The same with an occluder.
        box (np.ndarray): x1, y1, x2, y2 of the face in pixels of both, float (4, ).
    """
    uncovered: np.ndarray
    covered: np.ndarray
    box: np.ndarray


def face_pairs(samples: Sequence[BoxSample], kind: str, fraction: float, size: int, max_faces: int,
               seed: int) -> Iterator[FacePair]:
    """Cut out the largest faces of a dataset, uncovered and covered.

    Args:
        samples (Sequence[BoxSample]): Images and boxes.
        kind (str): Kind of occluder.
        fraction (float): Covered fraction.
        size (int): Longer side of the cut-out images in pixels.
        max_faces (int): Number of faces.
        seed (int): Seed of the occluders.

    Yields:
        FacePair: One face.

    Raises:
        ValueError: There is no face.
        OSError: An image cannot be read; the message names it.
    """
    conditions = [(kind, float(fraction))]
    pool = donor_pool(samples, conditions, seed)
    for sample in _with_largest_faces(samples, max_faces):
        image, (covered, ) = read_image(sample.path), cover_sample(sample, conditions, seed, pool).values()
        for box in sample.boxes[~sample.ignore]:
            yield _cut_out(image, covered.image, box, size)


def load_unfused(config: str, checkpoint: str) -> Tuple[nn.Module, ImagePreprocessor]:
    """Load a trained detector whose layers are not fused, and the preprocessor of its images.

    Args:
        config (str): Config file, or name of a config.
        checkpoint (str): Its checkpoint.

    Returns:
        tuple: The detector in evaluation mode, on the CPU, and the preprocessor.
    """
    model, _ = load_trained_detector(load_config(config), checkpoint)
    return model, load_detector(config, checkpoint, 'cpu').backend.preprocessor


def _with_largest_faces(samples: Sequence[BoxSample], number: int) -> List[BoxSample]:
    """Return the samples with the largest faces only; the other boxes of these images are ignored."""
    heights = np.concatenate([np.where(sample.ignore, 0, sample.boxes[:, 3] - sample.boxes[:, 1])
                              for sample in samples] or [np.zeros(0)])
    chosen = np.zeros(len(heights), bool)
    chosen[np.argsort(-heights, kind='stable')[:number]] = True
    chosen &= heights > 0
    if not chosen.any():
        raise ValueError('there is no face in the data')
    parts = np.split(chosen, np.cumsum([len(sample.boxes) for sample in samples])[:-1])
    return [BoxSample(sample.path, sample.boxes, ~part) for sample, part in zip(samples, parts) if part.any()]


def _cut_out(uncovered: np.ndarray, covered: np.ndarray, box: np.ndarray, size: int) -> FacePair:
    margin = _CONTEXT * np.tile(box[2:] - box[:2], 2) * [-1, -1, 1, 1]
    left, top, right, bottom = np.rint(clip_box(box + margin, uncovered.shape[:2])).astype(int)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    scale = size / max(right - left, bottom - top)
    sides = max(round(scale * (right - left)), 1), max(round(scale * (bottom - top)), 1)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    parts = [cv2.resize(image[top:bottom, left:right], sides, interpolation=interpolation)
             for image in (uncovered, covered)]
    return FacePair(*parts, (box - [left, top, left, top]) * scale)
