"""Measure how much of the boxes of a dataset is covered under each condition."""
from collections import defaultdict
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from mmseam.datasets.occlusion import BoxSample, measure_coverage

from .curves import Condition, covered_samples

_TOLERANCE = 0.02


def measure_conditions(samples: Sequence[BoxSample], conditions: Sequence[Condition], seed: int = 0,
                       progress: Optional[Callable[[], Any]] = None) -> List[dict]:
    """Measure the covered fractions of all boxes that are not ignored.

    Args:
        samples (Sequence[BoxSample]): Images and boxes.
        conditions (Sequence[Condition]): Kinds and fractions; fraction 0 covers nothing and is left out.
        seed (int): Seed of the occluders. Defaults to 0.
        progress (Callable, optional): Called after each image. Defaults to None.

    Returns:
        List[dict]: For each condition ``kind``, ``fraction``, ``boxes`` (number of boxes in the image), ``own`` (mean
        fraction that the occluders of the boxes cover), ``largest_error`` (of one box), ``total`` (mean fraction
        covered when the occluders of overlapping boxes are added), and ``over`` (share of the boxes of which more than
        .02 above the fraction is covered in total).
    """
    measured: Dict[Condition, List[np.ndarray]] = defaultdict(list)
    conditions = [condition for condition in conditions if condition[1]]
    for sample, covered in covered_samples(samples, conditions, seed):
        boxes = sample.boxes[~sample.ignore]
        for condition, picture in covered.items():
            measured[condition].append(np.stack(measure_coverage(boxes, picture.occluders, picture.image.shape[:2])))
        if progress is not None:
            progress()
    return [_summarize(kind, fraction, np.concatenate(measured[kind, fraction], axis=1))
            for kind, fraction in conditions]


def _summarize(kind: str, fraction: float, measured: np.ndarray) -> dict:
    own, total = measured[:, ~np.isnan(measured[0])]
    if not own.size:
        return dict(kind=kind, fraction=fraction, boxes=0)
    return dict(kind=kind, fraction=fraction, boxes=own.size, own=round(float(own.mean()), 4),
                largest_error=round(float(np.abs(own - fraction).max()), 4), total=round(float(total.mean()), 4),
                over=round(float((total > fraction + _TOLERANCE).mean()), 4))
