"""From the decoded boxes of an image to its detections, with the results of mmyolo's ``predict_by_feat``."""
from typing import Tuple

import torch
from mmcv.ops import batched_nms
from mmdet.models.utils import filter_scores_and_topk
from mmdet.utils import ConfigType
from mmengine.structures import InstanceData
from torch import Tensor

from mmseam.utils.test_cfg import check_nms_cfg


def select_detections(boxes: Tensor, scores: Tensor, test_cfg: ConfigType) -> InstanceData:
    """Choose the detections of one image from all decoded boxes.

    Args:
        boxes (Tensor): Boxes x1, y1, x2, y2 of any scale, shape (N, 4).
        scores (Tensor): Scores of the classes, in [0, 1], shape (N, num_classes).
        test_cfg (:obj:`ConfigDict` or dict): Settings in the form of mmyolo's heads, see :func:`filter_detections`
            and :func:`suppress_overlaps`.

    Returns:
        InstanceData: ``bboxes`` (K, 4), ``scores`` (K,) and ``labels`` (K,) by descending score.
    """
    return suppress_overlaps(filter_detections(boxes, scores, test_cfg), test_cfg)


def filter_detections(boxes: Tensor, scores: Tensor, test_cfg: ConfigType) -> InstanceData:
    """Give boxes their classes and drop those of low score.

    Args:
        boxes (Tensor): Boxes x1, y1, x2, y2, shape (N, 4).
        scores (Tensor): Scores of the classes, shape (N, num_classes).
        test_cfg (:obj:`ConfigDict` or dict): ``multi_label`` (bool): a box may be of several classes, otherwise it is
            of its best class. ``score_thr`` (float): a score must exceed it; defaults to -1. ``nms_pre`` (int): keep
            so many of the best; defaults to 100000. ``min_bbox_size`` (float): width and height must exceed it;
            defaults to -1, any size.

    Returns:
        InstanceData: ``bboxes`` (K, 4), ``scores`` (K,) and ``labels`` (K,) by descending score.
    """
    threshold, most = test_cfg.get('score_thr', -1), test_cfg.get('nms_pre', 100000)
    if test_cfg['multi_label'] and scores.shape[1] > 1:
        scores, labels, kept, _ = filter_scores_and_topk(scores, threshold, most)
    else:
        scores, labels = scores.max(1, keepdim=True)
        scores, _, kept, labels = filter_scores_and_topk(scores, threshold, most, labels[:, 0])
    detections = InstanceData(bboxes=boxes[kept], scores=scores, labels=labels)
    smallest = test_cfg.get('min_bbox_size', -1)
    if smallest < 0:
        return detections
    sizes = detections.bboxes[:, 2:] - detections.bboxes[:, :2]
    return detections[(sizes > smallest).all(1)]


def suppress_overlaps(detections: InstanceData, test_cfg: ConfigType) -> InstanceData:
    """Non-maximum suppression among the boxes of each class.

    Args:
        detections (InstanceData): Result of :func:`filter_detections`: ``bboxes``, ``scores`` and ``labels`` by
            descending score.
        test_cfg (:obj:`ConfigDict` or dict): ``nms`` (dict or None): config for mmcv's ``batched_nms``.
            ``max_per_img`` (int): keep so many of the best.

    Returns:
        InstanceData: The detections left, by descending score.

    Raises:
        ValueError: ``nms`` is of an unknown type, or has an unknown key or a value out of range.
    """
    nms_cfg, most = test_cfg['nms'], test_cfg['max_per_img']
    boxes, scores, labels = detections.bboxes, detections.scores, detections.labels
    if not len(boxes):
        return detections
    check_nms_cfg(nms_cfg)  # batched_nms evaluates the type as Python
    if nms_cfg is None or nms_cfg.get('type', 'nms') != 'nms':
        rows, kept = batched_nms(boxes, scores, labels, nms_cfg)
    else:
        rows, kept = _best_of_greedy_nms(boxes, scores, labels, nms_cfg, most)
    kept = kept[:most]
    # Soft suppression changes the scores.
    return InstanceData(bboxes=boxes[kept], scores=rows[:most, -1], labels=labels[kept])


def _best_of_greedy_nms(boxes: Tensor, scores: Tensor, labels: Tensor, nms_cfg: ConfigType,
                        most: int) -> Tuple[Tensor, Tensor]:
    """The first ``most`` rows of ``batched_nms``, or more, without comparing the boxes that come after them.

    Whether greedy suppression keeps a box depends on the kept boxes of higher score only, so it runs over the sorted
    boxes part by part, each twice as long as all before it, until enough are kept.
    """
    nms_cfg = dict(nms_cfg)
    # batched_nms shifts the classes apart by the largest coordinate, and changes its way from a number of boxes on;
    # both are settled for all boxes here, so that a part gives what the whole gives.
    if not nms_cfg.pop('class_agnostic', False):
        boxes = boxes + (labels.to(boxes) * (boxes.max() + 1))[:, None]
    by_class = len(boxes) >= nms_cfg.get('split_thr', 10000)
    nms_cfg.update(class_agnostic=True, split_thr=0 if by_class else len(boxes) + 1)
    kept, start, stop = labels.new_empty(0), 0, 2 * most
    while True:
        part = torch.cat([kept, torch.arange(start, min(stop, len(boxes)), device=boxes.device)])
        rows, chosen = batched_nms(boxes[part], scores[part], labels[part], nms_cfg)
        kept = part[chosen]
        if len(kept) >= most or stop >= len(boxes):
            return rows, kept
        start, stop = stop, 2 * stop
