"""Bootstrap: every resample equals an evaluation of the repeated images; intervals and differences."""
import numpy as np
import pytest
from wider_face_reference import reference_evaluation

from mmseam.evaluation.functional import (
    WIDERFaceGroundTruth,
    bootstrap_average_precision,
    match_detections,
    paired_difference,
    percentile_interval,
    score_subsets,
)

NUM_IMAGES, RESAMPLES = 7, 12


@pytest.fixture(scope='module')
def images():
    rng = np.random.default_rng(3)
    out = []
    for i in range(NUM_IMAGES):
        faces = np.column_stack([rng.uniform(0, 60, (i, 2)), rng.uniform(5, 20, (i, 2))])
        found = faces.repeat(2, 0) + rng.normal(0, 1.5, (2 * i, 4))
        false = np.column_stack([rng.uniform(0, 60, (3, 2)), rng.uniform(5, 20, (3, 2))])
        boxes = np.concatenate([found, false])
        out.append((np.column_stack([boxes, rng.random(len(boxes)).round(1)]), faces, rng.random(i) < .6))
    return out


@pytest.fixture(scope='module')
def truth(images):
    return WIDERFaceGroundTruth.from_images(
        list(map(str, range(NUM_IMAGES))), [faces for _, faces, _ in images],
        {'some': [keep for _, _, keep in images], 'all': [np.ones(len(faces), bool) for _, faces, _ in images],
         'rare': [np.arange(len(faces)) == 5 for _, faces, _ in images]})


def detections_of(images):
    return {str(i): rows for i, (rows, _, _) in enumerate(images)}


def test_each_resample_is_an_evaluation_of_the_drawn_images(images, truth):
    matches = match_detections(truth, detections_of(images))
    samples = bootstrap_average_precision(matches, truth.subsets, RESAMPLES, seed=5)
    draws = np.random.default_rng(5).multinomial(NUM_IMAGES, [1 / NUM_IMAGES] * NUM_IMAGES, size=RESAMPLES)
    scores = np.concatenate([rows[:, 4] for rows, _, _ in images])
    # An image of a kept-nowhere face holds both extreme scores, so that each resample is normalized as the whole set.
    anchor = (np.array([[0, 0, 9, 9, scores.min()], [0, 0, 9, 9, scores.max()]]), np.array([[0., 0, 9, 9]]),
              np.array([False]))
    for name, keep in truth.subsets.items():
        per_image = np.split(keep, truth.offsets[1:-1])
        for counts, sample in zip(draws, samples[name]):
            drawn = [(images[i][0], images[i][1], per_image[i]) for i in np.repeat(np.arange(NUM_IMAGES), counts)]
            expected = reference_evaluation([*drawn, anchor])[0]
            np.testing.assert_allclose(sample, expected, rtol=0, atol=1e-9)
    assert np.isnan(samples['rare']).any() and not np.isnan(samples['rare']).all()


def test_seed_draws_the_same_images_for_every_method(images, truth):
    better = match_detections(truth, detections_of(images))
    worse = match_detections(truth, {key: rows[1:] for key, rows in detections_of(images).items()})
    first, again = (bootstrap_average_precision(better, truth.subsets, 40, seed=1)['all'] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first != bootstrap_average_precision(better, truth.subsets, 40, seed=2)['all']).any()
    assert np.corrcoef(first, bootstrap_average_precision(worse, truth.subsets, 40, seed=1)['all'])[0, 1] > .5


def test_spread_of_resamples_is_the_spread_of_new_data():
    rng = np.random.default_rng(0)
    values, spreads = [], []
    for _ in range(60):
        faces = [rng.uniform(0, 90, (4, 4)) + [0, 0, 5, 5] for _ in range(120)]
        rows = {str(i): np.column_stack([f + rng.normal(0, 4, f.shape), rng.random(4)]) for i, f in enumerate(faces)}
        truth = WIDERFaceGroundTruth.from_images(list(rows), faces, {'all': [np.ones(4, bool)] * 120})
        matches = match_detections(truth, rows)
        values.append(score_subsets(matches, truth.subsets)['all'].ap)
        samples = bootstrap_average_precision(matches, truth.subsets, 60)['all']
        low, high = percentile_interval(samples)
        assert low < values[-1] < high
        spreads.append(samples.std())
    # The deviation of 60 values is itself known to 1 / sqrt(120) = 9 %; two of these are allowed.
    assert np.mean(spreads) == pytest.approx(np.std(values), rel=.18)


def test_percentile_interval_and_paired_difference():
    samples = np.r_[np.arange(101) / 100, np.nan]
    np.testing.assert_allclose(percentile_interval(samples), (.025, .975))
    np.testing.assert_allclose(percentile_interval(samples, .5), (.25, .75))
    assert np.isnan(percentile_interval(np.array([np.nan]))).all()
    base = np.linspace(.4, .6, 101)
    sure = paired_difference(.5, .6, base, base + .1)
    assert sure.difference == pytest.approx(.1) and sure.low == pytest.approx(.1) and sure.p_value == 1 / 101
    unsure = paired_difference(.5, .5, base, base[::-1])
    assert unsure.low < 0 < unsure.high and unsure.p_value == 1
    assert np.isnan(paired_difference(.5, .5, np.array([np.nan]), base[:1]).p_value)
