"""AP from matches of single images, against pycocotools."""
import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmseam.evaluation.functional.average_precision import (
    average_precision,
    match_image,
    recall,
    resampled_weights,
)

TOO_LARGE = 1e9  # an area outside the evaluated range: pycocotools ignores such a ground truth


def random_image(rng, num_gt=8, num_dets=25, with_ties=True):
    """Ground truths, some ignored, and detections around them and elsewhere."""
    corner = rng.uniform(0, 80, (num_gt, 2))
    truth = np.hstack([corner, corner + rng.uniform(12, 40, (num_gt, 2))])
    boxes = rng.uniform(0, 50, (num_dets, 4)) + [0, 0, 55, 55]
    if num_gt:
        near = truth[rng.integers(num_gt, size=num_dets)] + rng.uniform(-4, 4, (num_dets, 4))
        boxes = np.where(rng.random((num_dets, 1)) < 0.7, near, boxes)
    scores = rng.integers(0, 12, num_dets) / 12 if with_ties else rng.random(num_dets)
    return boxes, scores, truth, rng.random(num_gt) < 0.25


def by_pycocotools(images, max_dets):
    """AP and recall by threshold."""
    annotations, results = [], []
    for index, (boxes, scores, truth, ignore) in enumerate(images, 1):
        for box, score in zip(boxes, scores):
            results.append(dict(image_id=index, category_id=1, score=score, bbox=[*box[:2], *(box[2:] - box[:2])]))
        for box, ignored in zip(truth, ignore):
            annotations.append(dict(id=len(annotations) + 1, image_id=index, category_id=1, iscrowd=0,
                                    bbox=[*box[:2], *(box[2:] - box[:2])], area=TOO_LARGE if ignored else 1))
    coco = COCO()
    coco.dataset = dict(images=[dict(id=i + 1) for i in range(len(images))], annotations=annotations,
                        categories=[dict(id=1, name='face')])
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), 'bbox')
        evaluation.params.maxDets, evaluation.params.areaRng = [max_dets], [[0, TOO_LARGE / 10]]
        evaluation.params.areaRngLbl = ['all']
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval['precision'][:, :, 0, 0, 0].mean(1), evaluation.eval['recall'][:, 0, 0, 0]


def matches_of(images, **kwargs):
    return [match_image(*image, **kwargs) for image in images]


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('max_dets', [10, 300])
def test_equal_to_pycocotools(seed, max_dets):
    rng = np.random.default_rng(seed)
    images = [random_image(rng, num_gt=rng.integers(0, 12)) for _ in range(15)]
    precision, found = by_pycocotools(images, max_dets)
    matches = matches_of(images, max_dets=max_dets)
    np.testing.assert_allclose(average_precision(matches), precision, atol=1e-12)
    np.testing.assert_allclose(recall(matches), found, atol=1e-12)
    assert 0 <= precision[-1] < precision[0] < 1


def test_weight_is_number_of_copies():
    rng = np.random.default_rng(0)
    matches = matches_of([random_image(rng, with_ties=False) for _ in range(6)])
    weights = resampled_weights(6, num_resamples=5, seed=3)
    copies = [[match for match, weight in zip(matches, row) for _ in range(weight)] for row in weights]
    np.testing.assert_allclose(average_precision(matches, weights), [average_precision(c) for c in copies], atol=1e-12)
    np.testing.assert_allclose(recall(matches, weights), [recall(c) for c in copies], atol=1e-12)
    assert (weights.sum(1) == 6).all()


def test_without_detections_or_ground_truths():
    empty = np.zeros((0, 4))
    nothing_found = match_image(empty, [], [[0, 0, 9, 9]])
    nothing_there = match_image([[0, 0, 9, 9]], [.5], empty)
    assert average_precision([nothing_found]).tolist() == recall([nothing_found]).tolist() == [0] * 10
    assert np.isnan(average_precision([nothing_there])).all()
    assert average_precision([nothing_there, nothing_found]).tolist() == [0] * 10
    assert nothing_there.gt_matched.shape == (10, 0)


def test_gt_matched_names_the_ground_truths():
    truth = [[50, 50, 60, 60], [0, 0, 10, 8], [80, 80, 90, 90]]
    match = match_image([[0, 0, 10, 10], [50, 50, 60, 60]], [.9, .8], truth, iou_thresholds=[.5, .9])
    assert match.gt_matched.tolist() == [[True, True, False], [True, False, False]]


@pytest.mark.parametrize('change, message', [
    (dict(scores=[.5]), 'scores of shape'), (dict(boxes=[[0, 0, np.nan, 9]] * 2), 'finite'),
    (dict(gt_ignore=[True]), 'gt_ignore'), (dict(boxes=np.zeros((2, 5))), 'shape'),
    (dict(scores=[.5, np.inf]), 'finite')
], ids=['scores', 'nan', 'ignore', 'columns', 'infinite'])
def test_bad_input_is_named(change, message):
    inputs = dict(boxes=np.zeros((2, 4)), scores=[.1, .2], gt_boxes=np.zeros((3, 4)))
    with pytest.raises(ValueError, match=message):
        match_image(**{**inputs, **change})
