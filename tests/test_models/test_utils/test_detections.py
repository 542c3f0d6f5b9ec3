"""Choice of detections, against the definition and against mmcv's suppression of all boxes at once."""
import pytest
import torch
from mmcv.ops import batched_nms, nms

from mmseam.models.utils import filter_detections, select_detections

CFG = dict(multi_label=True, score_thr=0.3, nms_pre=1000, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)


def crowd(count, num_classes, seed=0, places=12):
    """Boxes crowded around a few places, and scores."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(places, 2, generator=generator)[torch.arange(count) % places] * 500
    corners = corners + torch.randn(count, 2, generator=generator) * 6
    sizes = 30 + torch.rand(count, 2, generator=generator) * 20
    return torch.cat([corners, corners + sizes], 1), torch.rand(count, num_classes, generator=generator)


def plain_selection(boxes, scores, cfg):
    """Rows (box index, label, score): the steps one after another, NMS class by class."""
    rows = []
    for index, row in enumerate(scores.tolist()):
        labels = range(len(row)) if cfg['multi_label'] else [row.index(max(row))]
        rows += [(row[label], index, label) for label in labels if row[label] > cfg['score_thr']]
    rows = sorted(rows, key=lambda row: -row[0])[:cfg['nms_pre']]
    kept = []
    for label in {row[2] for row in rows}:
        of_class = [row for row in rows if row[2] == label]
        indices = [row[1] for row in of_class]
        _, best = nms(boxes[indices], torch.tensor([row[0] for row in of_class]), **{
            key: value for key, value in cfg['nms'].items() if key != 'type'})
        kept += [of_class[place] for place in best]
    return sorted(kept, key=lambda row: -row[0])[:cfg['max_per_img']]


@pytest.mark.parametrize('changes', [
    dict(), dict(multi_label=False), dict(nms_pre=40), dict(max_per_img=5), dict(max_per_img=5, multi_label=False),
    dict(score_thr=0.9), dict(nms=dict(type='nms', iou_threshold=0.2))])
@pytest.mark.parametrize('num_classes', [1, 4])
def test_equals_the_definition(num_classes, changes):
    cfg = {**CFG, **changes}
    boxes, scores = crowd(120, num_classes)
    expected = plain_selection(boxes, scores, cfg)
    found = select_detections(boxes, scores, cfg)
    assert found.labels.tolist() == [label for _, _, label in expected]
    assert found.scores.tolist() == [score for score, _, _ in expected]
    assert torch.equal(found.bboxes, boxes[[index for _, index, _ in expected]])
    assert 0 < len(found) < (scores > cfg['score_thr']).sum()


def test_a_score_equal_to_the_threshold_is_dropped():
    boxes = torch.tensor([[0., 0, 9, 9], [20, 0, 29, 9]])
    found = select_detections(boxes, torch.tensor([[.5], [.75]]), dict(CFG, score_thr=.5))
    assert found.scores.tolist() == [.75]


@pytest.mark.parametrize('multi_label', [True, False])
@pytest.mark.parametrize('count', [0, 7])
def test_nothing_left(count, multi_label):
    boxes, scores = crowd(count, 3)
    found = select_detections(boxes, scores, dict(CFG, score_thr=1., multi_label=multi_label))
    assert found.bboxes.shape == (0, 4) and found.scores.shape == (0, ) and found.labels.shape == (0, )
    assert found.labels.dtype == torch.int64


def test_thin_boxes_are_dropped_on_demand():
    boxes = torch.tensor([[0., 0, 9, 2], [20, 0, 22, 9], [40, 0, 43, 3]])
    assert len(select_detections(boxes, torch.ones(3, 1), dict(CFG, min_bbox_size=0))) == 3
    found = select_detections(boxes, torch.ones(3, 1), dict(CFG, min_bbox_size=2))
    assert found.bboxes.tolist() == [[40, 0, 43, 3]]


@pytest.mark.parametrize('nms_cfg', [
    None, dict(type='nms', iou_threshold=0.6), dict(type='nms', iou_threshold=0.6, class_agnostic=True),
    dict(type='nms', iou_threshold=0.6, split_thr=100), dict(type='nms', iou_threshold=0.6, max_num=3),
    dict(type='nms', iou_threshold=0.6, score_threshold=0.9), dict(type='soft_nms', iou_threshold=0.3)],
    ids=['none', 'by class', 'agnostic', 'split', 'max_num', 'score_threshold', 'soft'])
@pytest.mark.parametrize('most', [1, 8, 30, 5000])
def test_suppression_in_parts_equals_that_of_all_boxes_at_once(nms_cfg, most):
    boxes, scores = crowd(400, 3)
    cfg = dict(CFG, nms=nms_cfg, max_per_img=most)
    candidates = filter_detections(boxes, scores, cfg)
    rows, kept = batched_nms(candidates.bboxes, candidates.scores, candidates.labels, nms_cfg)
    found = select_detections(boxes, scores, cfg)
    assert torch.equal(found.bboxes, candidates.bboxes[kept][:most])
    assert torch.equal(found.scores, rows[:most, 4])
    assert torch.equal(found.labels, candidates.labels[kept][:most])


def test_unknown_suppression_is_not_evaluated(tmp_path):
    marker = tmp_path / 'marker'
    with pytest.raises(ValueError, match="test_cfg.nms.type must be 'nms' or 'soft_nms'"):
        select_detections(*crowd(10, 1), dict(CFG, nms=dict(type=f"open({str(marker)!r}, 'w')")))
    assert not marker.exists()


def test_boxes_after_the_last_kept_one_are_not_compared(monkeypatch):
    compared = []
    monkeypatch.setattr('mmseam.models.utils.detections.batched_nms',
                        lambda boxes, *args: compared.append(len(boxes)) or batched_nms(boxes, *args))
    boxes, scores = crowd(1000, 1, places=1000)
    assert len(select_detections(boxes, scores, dict(CFG, max_per_img=10))) == 10
    assert sum(compared) < 50
