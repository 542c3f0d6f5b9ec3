"""COCO's metric: one limit of detections in all columns, otherwise the figures of pycocotools."""
import numpy as np
import pytest
import torch
from config_files import CONFIGS
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

CLASSES = ('face', 'hat')
WIDER = CONFIGS / 'yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py'
COCO = CONFIGS / 'yolo11/yolo11_n_syncbn_fast_8xb16-500e_coco.py'


def sample(img_id, boxes, labels, detected, scores, detected_labels):
    instances = [dict(bbox=box, bbox_label=int(label), ignore_flag=0) for box, label in zip(boxes.tolist(), labels)]
    return dict(
        img_id=img_id, ori_shape=(2000, 2000), instances=instances,
        pred_instances=InstanceData(bboxes=torch.tensor(detected), scores=torch.tensor(scores),
                                    labels=torch.tensor(detected_labels)))


def grid(number, side=20.):
    places = np.stack(np.divmod(np.arange(number), 40), 1) * 48.
    return np.hstack([places, places + side])


def noisy_samples(number=40):
    """Boxes of all sizes of two classes, missed, moved and false ones among the detections."""
    rng = np.random.default_rng(0)
    for img_id in range(3):
        corner, size = rng.uniform(0, 1500, (number, 2)), rng.uniform(5, 200, (number, 1))
        boxes, labels = np.hstack([corner, corner + size]), rng.integers(0, 2, number)
        found = np.vstack([boxes[5:] + rng.normal(0, .06, (number - 5, 4)) * size[5:], boxes[:8] + 300])
        found_labels = np.concatenate([labels[5:], labels[:8]])
        yield sample(img_id, boxes, labels, found, rng.uniform(.1, 1, len(found)), found_labels)


def measure(samples, classes=CLASSES, **metric):
    metric = {**dict(type='mmseam.CocoMetric', metric='bbox', proposal_nums=(100, 300, 1000)), **metric}
    with DefaultScope.overwrite_default_scope('mmyolo'):
        evaluator = Evaluator(metric)
    evaluator.dataset_meta = dict(classes=classes)
    samples = list(samples)
    for one in samples:
        evaluator.process([one])
    return evaluator.evaluate(len(samples))


@pytest.mark.parametrize('config', [WIDER, COCO], ids=['WIDER FACE', 'COCO'])
def test_all_columns_of_the_configs_count_as_many_detections(config):
    evaluators = Config.fromfile(config).val_evaluator
    metric = (evaluators[1] if config is WIDER else evaluators).to_dict()
    metric.pop('ann_file', None)
    boxes = grid(400)
    perfect = [sample(0, boxes, np.zeros(400, int), boxes, np.linspace(.9, .1, 400), np.zeros(400, int))]
    figures = measure(perfect, **metric)
    assert list(figures) == [f'coco/bbox_{name}' for name in ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')]
    expected = 1 if config is WIDER else pytest.approx(26 / 101)  # COCO's own limit: 100 of 400 faces, in steps of .01
    assert [figures[f'coco/bbox_{name}'] for name in ('mAP', 'mAP_50', 'mAP_75', 'mAP_s')] == [expected] * 4
    assert figures['coco/bbox_mAP_l'] == -1


@pytest.mark.parametrize('options', [dict(), dict(classwise=True), dict(iou_thrs=np.array([.5, .75]))], ids=str)
def test_with_the_limit_of_coco_the_figures_are_those_of_the_host(options):
    expected = measure(noisy_samples(), type='mmdet.CocoMetric', proposal_nums=(1, 10, 100), **options)
    figures = measure(noisy_samples(), proposal_nums=(1, 10, 100), **options)
    assert list(figures) == list(expected)
    assert 0 < expected['coco/bbox_mAP'] < 1
    assert figures == pytest.approx(expected, abs=5.01e-4)  # the host rounds


def test_equals_a_plain_reference():
    """One class, one image, boxes that do not overlap: precision at each recall by counting."""
    boxes, rng = grid(500), np.random.default_rng(1)
    scores, is_right = rng.uniform(0, 1, 700), rng.permutation(700) < 450
    found = np.vstack([boxes, boxes[:200] + 5000])  # the last 200 are false
    order = np.concatenate([rng.permutation(450), rng.permutation(np.arange(500, 700))])
    places = np.empty(700, int)
    places[is_right], places[~is_right] = order[:450], np.concatenate([order[450:], np.arange(450, 500)])
    figures = measure([sample(0, boxes, np.zeros(500, int), found[places], scores, np.zeros(700, int))],
                      proposal_nums=(10, 600), metric_items=['mAP', 'AR@10', 'AR@600'])
    best = np.argsort(-scores, kind='stable')[:600]
    hits = np.cumsum(places[best] < 500)
    precision, recall = hits / np.arange(1, 601), hits / 500
    levels = [precision[recall >= level].max(initial=0) for level in np.linspace(0, 1, 101)]
    assert figures['coco/bbox_mAP'] == pytest.approx(np.mean(levels))
    assert figures['coco/bbox_AR@10'] == pytest.approx(recall[9])
    assert figures['coco/bbox_AR@600'] == pytest.approx(recall[-1])


def test_no_detections_are_an_ap_of_zero():
    nothing = np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)
    figures = measure([sample(0, grid(3), np.zeros(3, int), *nothing)])
    assert figures['coco/bbox_mAP'] == figures['coco/bbox_mAP_50'] == 0


def test_detections_are_only_written(tmp_path):
    assert measure(noisy_samples(), format_only=True, outfile_prefix=str(tmp_path / 'found')) == {}
    assert (tmp_path / 'found.bbox.json').stat().st_size > 0


@pytest.mark.parametrize('options, error, message', [
    (dict(metric=['bbox', 'segm']), ValueError, 'boxes only; use mmdet.CocoMetric'),
    (dict(metric_items=['mAP', 'AR@7']), KeyError, 'no AR@7; there are mAP, .*AR@1000'),
])
def test_what_it_does_not_measure(options, error, message):
    with pytest.raises(error, match=message):
        measure([], **options)
