"""Scores of detectors on covered images, with bootstrap intervals over images and paired differences."""
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from .average_precision import ImageMatches, average_precision, recall, resampled_weights
from .wider_face import PairedDifference, paired_difference, percentile_interval

#: Kind of occluder and covered fraction.
Condition = Tuple[str, float]
#: Matches of each image by condition.
Curves = Mapping[Condition, Sequence[ImageMatches]]
#: Recall and AP at IoU .5, and the mean of the APs at .5, .55, …, .95.
SCORES = ('recall', 'AP50', 'AP')
#: Name of the mean over all kinds of occluders.
MEAN = 'mean'
_Table = Dict[Tuple[str, float, str], Any]


@dataclass(frozen=True)
class OcclusionPoint:
    """A score of one model under one condition.

    Args:
        model (str): Name of the model.
        kind (str): Kind of occluder, or :data:`MEAN`.
        fraction (float): Covered fraction of each box.
        score (str): One of :data:`SCORES`.
        value (float): The score, 0 to 1; NaN without a box that counts.
        low (float): Lower bound of the 95 % interval.
        high (float): Upper bound of the 95 % interval.
    """

    model: str
    kind: str
    fraction: float
    score: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class OcclusionDifference(PairedDifference):
    """Difference of two models in one score under one condition, on the same resamples of the images."""

    baseline: str
    model: str
    kind: str
    fraction: float
    score: str


def score_curves(curves: Mapping[str, Curves],
                 num_resamples: int = 1000,
                 seed: int = 0,
                 progress: Optional[Callable[[], Any]] = None) -> Tuple[List[OcclusionPoint],
                                                                        List[OcclusionDifference]]:
    """Score models on covered images, and compare each with the first one.

    Args:
        curves (Mapping[str, Curves]): Matches of every model by condition, on the same images and conditions.
        num_resamples (int): Number of bootstrap resamples of the images. Defaults to 1000.
        seed (int): Seed of the resamples. Defaults to 0.
        progress (Callable, optional): Called after each model. Defaults to None.

    Returns:
        tuple: Points and differences, by model, kind, fraction and score. With several kinds, their mean follows them.

    Raises:
        ValueError: There is no model, or the models were run under different conditions or on different images.
    """
    _check_same(curves)
    num_images = len(next(iter(next(iter(curves.values())).values())))
    weights = resampled_weights(num_images, num_resamples, seed)
    values: Dict[str, Tuple[_Table, _Table]] = {}
    for model, conditions in curves.items():
        values[model] = _score(conditions, None), _score(conditions, weights)
        if progress is not None:
            progress()
    points = [OcclusionPoint(model, *key, float(value), *percentile_interval(samples[key]))
              for model, (scores, samples) in values.items() for key, value in scores.items()]
    return points, list(_compare(values))


def _check_same(curves: Mapping[str, Curves]) -> None:
    if not curves or not all(curves.values()):
        raise ValueError('there are no curves to score')
    layouts = {model: {condition: [match.num_gt for match in rows] for condition, rows in conditions.items()}
               for model, conditions in curves.items()}
    first, *others = layouts
    for other in others:
        if layouts[other] != layouts[first]:
            raise ValueError(f'{first} and {other} were run under different conditions or on different images')


def _score(conditions: Curves, weights: Optional[np.ndarray]) -> _Table:
    """Compute all scores by kind, fraction and name; arrays (B,) with weights (B, N)."""
    uncovered: Dict[str, Any] = {}  # the same images whatever the kind, so they are scored once
    table: _Table = {}
    for (kind, fraction), rows in conditions.items():
        if fraction:
            scores = _scores(rows, weights)
        else:
            uncovered = scores = uncovered or _scores(rows, weights)
        table.update({(kind, fraction, name): value for name, value in scores.items()})
    kinds = list(dict.fromkeys(kind for kind, _ in conditions))
    if len(kinds) > 1:
        for fraction in dict.fromkeys(fraction for _, fraction in conditions):
            for name in SCORES:
                table[MEAN, fraction, name] = np.mean([table[kind, fraction, name] for kind in kinds], axis=0)
    return table


def _scores(rows: Sequence[ImageMatches], weights: Optional[np.ndarray]) -> Dict[str, Any]:
    ap = average_precision(rows, weights)
    return dict(recall=recall(rows, weights)[..., 0], AP50=ap[..., 0], AP=ap.mean(-1))


def _compare(values: Mapping[str, Tuple[_Table, _Table]]) -> Iterator[OcclusionDifference]:
    baseline, *others = values
    scores, samples = values[baseline]
    for model in others:
        for key, value in values[model][0].items():
            found = paired_difference(float(scores[key]), float(value), samples[key], values[model][1][key])
            yield OcclusionDifference(found.difference, found.low, found.high, found.p_value, baseline, model, *key)
