"""The fast protocol against a plain one, against published numbers, and its invariants."""
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wider_face_reference import reference_evaluation, reference_overlaps, reference_overlaps_int32

import mmseam
from mmseam.evaluation.functional import (
    WIDERFaceGroundTruth,
    evaluate_wider_face,
    match_detections,
    read_detections,
    read_official_ground_truth,
)
from mmseam.evaluation.functional.wider_face import matching as matching

# A coarse grid makes equal overlaps, equal boxes and overlaps of exactly 0.5 frequent.
COORDINATE = st.integers(0, 6)
FRACTION = st.sampled_from([0.0, 0.0, 0.25, 0.5, 0.75])
SIDE = st.integers(0, 7)
# Thousandths meet thresholds exactly; few values make ties.
SCORE = st.one_of(st.sampled_from([-3.0, 0.0, 0.5, 1.0, 20.0]), st.integers(0, 1000).map(lambda n: n / 1000),
                  st.floats(0, 1))
FACE = st.tuples(COORDINATE, COORDINATE, SIDE, SIDE)
DETECTION = st.tuples(COORDINATE, FRACTION, COORDINATE, FRACTION, SIDE, FRACTION, SIDE, FRACTION, SCORE).map(
    lambda v: (v[0] + v[1], v[2] + v[3], v[4] + v[5], v[6] + v[7], v[8]))


@st.composite
def image(draw):
    faces = draw(st.lists(FACE, max_size=6))
    keep = draw(st.lists(st.booleans(), min_size=len(faces), max_size=len(faces)))
    detections = draw(st.lists(DETECTION, max_size=9))
    if detections and draw(st.booleans()):
        detections += [detections[0]] * draw(st.integers(1, 2))
    return (np.array(detections, dtype=float).reshape(-1, 5), np.array(faces, dtype=float).reshape(-1, 4),
            np.array(keep, dtype=bool))


def as_inputs(images):
    keys = [f'event/{i}' for i in range(len(images))]
    truth = WIDERFaceGroundTruth.from_images(keys, [faces for _, faces, _ in images],
                                             {'some': [keep for _, _, keep in images]})
    return truth, {key: detections for key, (detections, _, _) in zip(keys, images)}


@pytest.mark.parametrize('int32_compat, overlaps', [(False, reference_overlaps), (True, reference_overlaps_int32)])
@settings(max_examples=100, deadline=None)
@given(images=st.lists(image(), min_size=1, max_size=4), num_thresholds=st.sampled_from([10, 100, 200, 1000]))
def test_agrees_with_the_plain_protocol(int32_compat, overlaps, images, num_thresholds):
    truth, detections = as_inputs(images)
    result = evaluate_wider_face(truth, detections, None, num_thresholds, int32_compat)['some']
    ap, recall, precision = reference_evaluation(images, num_thresholds, overlaps)
    np.testing.assert_allclose(result.ap, ap, rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.recall, recall, rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.precision, precision, rtol=0, atol=1e-9)
    assert result.num_faces == sum(int(keep.sum()) for _, _, keep in images)


@settings(max_examples=40, deadline=None)
@given(images=st.lists(image(), min_size=1, max_size=3), seed=st.integers(0, 100))
def test_order_of_rows_and_scale_of_scores_change_nothing(images, seed):
    truth, detections = as_inputs(images)
    shuffled = {key: np.random.default_rng(seed).permutation(rows) for key, rows in detections.items()}
    scaled = {key: rows * [1, 1, 1, 1, 8] for key, rows in detections.items()}  # a power of two keeps every bit
    expected = evaluate_wider_face(truth, detections)['some']
    for changed in (shuffled, scaled):
        result = evaluate_wider_face(truth, changed)['some']
        np.testing.assert_array_equal(result.precision, expected.precision)
        np.testing.assert_array_equal(result.recall, expected.recall)


def test_crowded_image_in_small_blocks(monkeypatch):
    rng = np.random.default_rng(1)
    faces = np.column_stack([rng.uniform(0, 300, (90, 2)), rng.uniform(4, 40, (90, 2))])
    rows = np.column_stack([faces.repeat(9, 0) + rng.normal(0, 3, (810, 4)), rng.random(810)])
    truth, detections = as_inputs([(rows, faces, rng.random(90) < .7)])
    whole = evaluate_wider_face(truth, detections)['some'].ap
    assert whole == pytest.approx(reference_evaluation([(rows, faces, truth.subsets['some'])])[0], abs=1e-9)
    monkeypatch.setattr(matching, '_PAIRS_TO_COMPARE', 200)
    monkeypatch.setattr(matching, '_PAIRS_TO_MEASURE', 50)
    assert evaluate_wider_face(truth, detections)['some'].ap == whole


def one_image(rows, faces, keep=None):
    keep = np.ones(len(faces), bool) if keep is None else np.array(keep)
    truth, detections = as_inputs([(np.array(rows, float), np.array(faces, float), keep)])
    return evaluate_wider_face(truth, detections)['some']


def test_no_second_choice_and_ignored_faces():
    faces = [(0, 0, 19, 19), (4, 0, 19, 19)]
    on_first = [(0, 0, 19, 19, .9), (0, 0, 19, 19, .8)]
    # The second detection overlaps the free second face with IoU 2/3, but the first face more: a false positive.
    assert one_image(on_first, faces).recall[-1] == 0.5
    assert one_image(on_first, faces).precision[-1] == 0.5
    # Of an ignored face both are left out.
    ignored = one_image(on_first, faces, [False, True])
    assert ignored.recall[-1] == ignored.precision[-1] == 0


def test_overlap_counts_the_pixel_of_the_border():
    # 9 px + 1 against 4 px + 1: IoU 25 / 50 with the added pixel, 16 / 45 without.
    assert one_image([(0, 0, 4, 9, 1)], [(0, 0, 9, 9)]).ap == 1
    assert one_image([(0, 0, 3.99, 9, 1)], [(0, 0, 9, 9)]).ap == 0


def test_int32_prefers_the_first_face_above_the_threshold():
    faces, rows = [(0, 0, 9, 9), (2, 0, 9, 9)], [(2, 0, 9, 9, 1)]
    truth, detections = as_inputs([(np.array(rows, float), np.array(faces, float), np.array([True, True]))])
    assert match_detections(truth, detections).face.tolist() == [1]
    assert match_detections(truth, detections, int32_compat=True).face.tolist() == [0]


def test_detection_counts_from_the_threshold_that_its_score_equals():
    result = one_image([(0, 0, 9, 9, 1), (50, 0, 9, 9, .5), (90, 0, 9, 9, 0)], [(0, 0, 9, 9), (50, 0, 9, 9)])
    at_half = int(np.flatnonzero(result.thresholds == .5)[0])
    assert result.recall[at_half - 1] == .5 and result.recall[at_half] == 1
    assert result.precision[-2] == 1 and result.precision[-1] == pytest.approx(2 / 3)


def test_zero_size_boxes_have_an_area_of_one_pixel():
    assert one_image([(5, 5, 0, 0, 1)], [(5, 5, 0, 0)]).ap == 1
    # A negative size meets nothing.
    assert one_image([(5, 5, -3, -3, 1)], [(5, 5, -3, -3)]).ap == 0


def test_one_score_for_everything_gives_one_point():
    result = one_image([(0, 0, 9, 9, .3), (50, 0, 9, 9, .3)], [(0, 0, 9, 9)])
    assert result.recall[-1] == 1 and result.precision[-1] == .5 and result.ap == .5


def test_nothing_detected_is_zero_and_nothing_kept_is_nan():
    assert one_image(np.empty((0, 5)), [(0, 0, 9, 9)]).ap == 0
    assert np.isnan(one_image([(0, 0, 9, 9, 1)], [(0, 0, 9, 9)], [False]).ap)


def test_missing_and_extra_images_warn_with_their_count():
    faces = np.array([[0, 0, 9, 9]], float)
    truth = WIDERFaceGroundTruth.from_images(['e/a', 'e/b', 'e/c'], [faces] * 3, {'all': [np.array([True])] * 3})
    row = np.array([[0, 0, 9, 9, .5]])
    with pytest.warns(UserWarning, match='2 of 3 images have no result'):
        result = evaluate_wider_face(truth, {'e/a': row})['all']
    assert result.ap == pytest.approx(1 / 3)
    full = dict.fromkeys(truth.keys, row)
    # Without the extra image all scores are equal: everything enters at the last threshold.
    with pytest.warns(UserWarning, match='1 images with detections are not in the set'):
        recall = evaluate_wider_face(truth, dict(full, other=row * [1, 1, 1, 1, 0]))['all'].recall
    assert recall[-2] == 0 and recall[-1] == 1
    with pytest.raises(ValueError, match='none of the 1 images'):
        evaluate_wider_face(truth, {'train/a': row})


@pytest.mark.parametrize('rows, problem', [
    ([[0, 0, 9, 9, float('nan')]], "detection 0 of 'event/0' contains NaN"),
    ([[0, 0, 9, 9, .5], [0, 0, float('inf'), 9, .5]], "detection 1 of 'event/0'"),
    ([[0, 0, 9, 9]], r"'event/0' have shape \(1, 4\)"),
])
def test_malformed_detections_are_errors(rows, problem):
    truth, _ = as_inputs([(np.empty((0, 5)), np.array([[0., 0, 9, 9]]), np.array([True]))])
    with pytest.raises(ValueError, match=problem):
        evaluate_wider_face(truth, {'event/0': np.array(rows)})


def test_malformed_ground_truth_is_an_error():
    faces = [np.zeros((1, 4))] * 2
    with pytest.raises(ValueError, match="'e/a' twice"):
        WIDERFaceGroundTruth.from_images(['e/a', 'e/a'], faces)
    with pytest.raises(ValueError, match="'hard' has shape"):
        WIDERFaceGroundTruth.from_images(['e/a', 'e/b'], faces, {'hard': [np.array([True]), np.array([])]})
    with pytest.raises(ValueError, match='no image'):
        WIDERFaceGroundTruth.from_images([], [])


def test_official_numbers(test_data):
    truth = read_official_ground_truth(test_data / 'wider_face' / 'ground_truth')
    assert truth.num_images == 3226 and truth.num_faces == 39708
    assert {name: int(keep.sum()) for name, keep in truth.subsets.items()} == dict(easy=7211, medium=13319, hard=31958)
    detections = read_detections(test_data / 'wider_face' / 'retinaface_mnet025_val_detections.tar.xz')
    assert sum(map(len, detections.values())) == 297333
    rng = np.random.default_rng(0)
    shuffled = {key: rng.permutation(rows) for key, rows in detections.items()}
    for rows in (detections, shuffled):
        results = evaluate_wider_face(truth, rows)
        found = [results[name].ap for name in ('easy', 'medium', 'hard')]
        np.testing.assert_allclose(found, [.90696, .88158, .73829], rtol=0, atol=1e-5)


def test_needs_no_framework():
    # The parent packages are stand-ins, since the real ones prepare the hosts, and every framework cannot be imported.
    code = '''
import sys, types
for name in ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmyolo'):
    sys.modules[name] = None
for name, folder in (('mmseam', sys.argv[1]), ('mmseam.evaluation', sys.argv[1] + '/evaluation')):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
import mmseam.evaluation.functional as module
import mmseam.evaluation.functional.wider_face.plots, mmseam.evaluation.functional.wider_face.report
truth = module.WIDERFaceGroundTruth.from_images(['a'], [[[0, 0, 9, 9]]], {'all': [[True]]})
print(module.evaluate_wider_face(truth, {'a': [[0, 0, 9, 9, 1.0]]})['all'].ap)
'''
    folder = Path(mmseam.__file__).parent
    done = subprocess.run([sys.executable, '-c', code, folder], capture_output=True, text=True)
    assert done.stdout.strip() == '1.0', done.stderr
