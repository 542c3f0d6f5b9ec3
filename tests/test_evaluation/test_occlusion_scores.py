"""Scores on covered images against a plain resampling of the images themselves."""
import numpy as np
import pytest

from mmseam.evaluation.functional.average_precision import (
    average_precision,
    match_image,
    recall,
    resampled_weights,
)
from mmseam.evaluation.functional.occlusion_scores import MEAN, SCORES, score_curves

CONDITIONS = [('lower', 0.0), ('lower', 0.5), ('bars', 0.0), ('bars', 0.5)]
IMAGES = 12


def make_matches(rng, quality) -> list:
    """Match detections that find each of three boxes with a probability, and some that find nothing."""
    rows = []
    for _ in range(IMAGES):
        truth = rng.uniform(0, 80, (3, 2)).repeat(2, 0).reshape(3, 4) + [0, 0, 20, 20]
        found = truth[rng.random(3) < quality] + rng.normal(0, 1, 4)
        boxes = np.concatenate([found, rng.uniform(100, 120, (2, 4)) + [0, 0, 30, 30]])
        rows.append(match_image(boxes, rng.random(len(boxes)), truth, [False, False, True]))
    return rows


@pytest.fixture(scope='module')
def curves() -> dict:
    """Curves of two models; what is not covered is the same for every kind."""
    models = {}
    for seed, model in enumerate(['weak', 'strong']):
        rng = np.random.default_rng(seed)
        uncovered = make_matches(rng, .9)
        models[model] = {condition: make_matches(rng, .3 + .5 * seed) if condition[1] else uncovered
                         for condition in CONDITIONS}
    return models


def plain_scores(rows) -> dict:
    ap = average_precision(rows)
    return dict(recall=recall(rows)[0], AP50=ap[0], AP=ap.mean())


def resampled(curves, model, condition, score, number) -> np.ndarray:
    """Score copies of the drawn images, one resample after the other."""
    rows = curves[model][condition]
    return np.array([plain_scores([rows[i] for i in np.repeat(np.arange(IMAGES), weights)])[score]
                     for weights in resampled_weights(IMAGES, number, 3)])


def test_points_and_intervals(curves):
    points, _ = score_curves(curves, 10, seed=3)
    assert len(points) == 2 * (4 + 2) * 3
    for point in points:
        if point.kind != MEAN:
            condition = point.kind, point.fraction
            assert point.value == pytest.approx(plain_scores(curves[point.model][condition])[point.score])
            expected = np.quantile(resampled(curves, point.model, condition, point.score, 10), [.025, .975])
            assert [point.low, point.high] == pytest.approx(expected)


def test_mean_over_kinds(curves):
    points, _ = score_curves(curves, 10, seed=3)
    mean = {(point.model, point.score): point for point in points if (point.kind, point.fraction) == (MEAN, .5)}
    for (model, score), point in mean.items():
        samples = np.mean([resampled(curves, model, (kind, .5), score, 10) for kind in ('lower', 'bars')], axis=0)
        assert point.value == pytest.approx(np.mean([plain_scores(curves[model][kind, .5])[score]
                                                     for kind in ('lower', 'bars')]))
        assert [point.low, point.high] == pytest.approx(np.quantile(samples, [.025, .975]))


def test_differences_are_paired(curves):
    _, differences = score_curves(curves, 10, seed=3)
    assert [(item.kind, item.fraction, item.score) for item in differences[:3]] == [
        ('lower', 0., score) for score in SCORES]
    for item in differences:
        assert (item.baseline, item.model) == ('weak', 'strong')
        if item.kind == 'lower' and item.fraction:
            both = [resampled(curves, model, ('lower', .5), item.score, 10) for model in ('weak', 'strong')]
            assert [item.low, item.high] == pytest.approx(np.quantile(both[1] - both[0], [.025, .975]))
            assert item.difference > 0


def test_model_does_not_differ_from_itself(curves):
    _, differences = score_curves(dict(one=curves['weak'], other=curves['weak']), 20)
    assert {(item.difference, item.low, item.high) for item in differences} == {(0, 0, 0)}


def test_one_kind_has_no_mean(curves):
    one = {'lower only': {key: rows for key, rows in curves['weak'].items() if key[0] == 'lower'}}
    points, differences = score_curves(one, 5)
    assert {point.kind for point in points} == {'lower'}
    assert differences == []


def test_nothing_to_find_gives_nan():
    rows = [match_image(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 4)))] * 3
    points, _ = score_curves(dict(model={('lower', .5): rows}), 5)
    assert all(np.isnan([point.value, point.low, point.high]).all() for point in points)


@pytest.mark.parametrize('change', ['conditions', 'images'])
def test_different_runs_are_not_compared(change, curves):
    other = dict(curves['strong'])
    if change == 'conditions':
        del other['bars', .5]
    else:
        other['bars', .5] = other['bars', .5][:-1]
    with pytest.raises(ValueError, match='weak and strong were run under different conditions or on different images'):
        score_curves(dict(curves, strong=other))
    with pytest.raises(ValueError, match='there are no curves'):
        score_curves({})
