"""Select detections from decoded boxes, with the same results as mmyolo's ``predict_by_feat``."""
from typing import Tuple

import torch
from mmcv.ops import batched_nms
from mmdet.models.utils import filter_scores_and_topk
from mmdet.utils import ConfigType
from mmengine.structures import InstanceData
from torch import Tensor

from mmseam.utils.test_cfg import check_nms_cfg


def select_detections(boxes: Tensor, scores: Tensor, test_cfg: ConfigType) -> InstanceData:
    """Select the detections of one image from all decoded boxes.

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
    """Assign classes to boxes and drop low scores.

    Args:
        boxes (Tensor): Boxes x1, y1, x2, y2, shape (N, 4).
        scores (Tensor): Scores of the classes, shape (N, num_classes).
        test_cfg (:obj:`ConfigDict` or dict): ``multi_label`` (bool): a box can have several classes, otherwise it has
            its best class. ``score_thr`` (float): a score must exceed it; defaults to -1. ``nms_pre`` (int): number of
            best boxes to keep; defaults to 100000. ``min_bbox_size`` (float): width and height must exceed it;
            defaults to -1, any size.

    Returns:
        InstanceData: ``bboxes`` (K, 4), ``scores`` (K,) and ``labels`` (K,) by descending score.
    """
    threshold, topk = test_cfg.get('score_thr', -1), test_cfg.get('nms_pre', 100000)
    if test_cfg['multi_label'] and scores.shape[1] > 1:
        scores, labels, kept, _ = filter_scores_and_topk(scores, threshold, topk)
    else:
        scores, labels = scores.max(1, keepdim=True)
        scores, _, kept, labels = filter_scores_and_topk(scores, threshold, topk, labels[:, 0])
    detections = InstanceData(bboxes=boxes[kept], scores=scores, labels=labels)
    smallest = test_cfg.get('min_bbox_size', -1)
    if smallest < 0:
        return detections
    sizes = detections.bboxes[:, 2:] - detections.bboxes[:, :2]
    return detections[(sizes > smallest).all(1)]


def suppress_overlaps(detections: InstanceData, test_cfg: ConfigType) -> InstanceData:
    """Apply non-maximum suppression to the boxes of each class.

    Args:
        detections (InstanceData): Result of :func:`filter_detections`: ``bboxes``, ``scores`` and ``labels`` by
            descending score.
        test_cfg (:obj:`ConfigDict` or dict): ``nms`` (dict or None): config for mmcv's ``batched_nms``.
            ``max_per_img`` (int): number of best detections to keep.

    Returns:
        InstanceData: The kept detections, by descending score.

    Raises:
        ValueError: ``nms`` has an unknown type or key, or a value out of range.
    """
    nms_cfg, topk = test_cfg['nms'], test_cfg['max_per_img']
    boxes, scores, labels = detections.bboxes, detections.scores, detections.labels
    if not len(boxes):
        return detections
    check_nms_cfg(nms_cfg)  # batched_nms evaluates the type as Python
    if nms_cfg is None or nms_cfg.get('type', 'nms') != 'nms':
        rows, kept = batched_nms(boxes, scores, labels, nms_cfg)
    else:
        rows, kept = _best_of_greedy_nms(boxes, scores, labels, nms_cfg, topk)
    kept = kept[:topk]
    # Soft suppression changes the scores.
    return InstanceData(bboxes=boxes[kept], scores=rows[:topk, -1], labels=labels[kept])


def _best_of_greedy_nms(boxes: Tensor, scores: Tensor, labels: Tensor, nms_cfg: ConfigType,
                        topk: int) -> Tuple[Tensor, Tensor]:
    """Return at least the first ``topk`` rows of ``batched_nms`` without comparing all boxes.

    Whether greedy NMS keeps a box depends only on kept boxes with higher scores, so it runs on growing parts of the
    sorted boxes, doubling the end index each time, until enough boxes are kept.
    """
    nms_cfg = dict(nms_cfg)
    # batched_nms offsets the classes by the largest coordinate and switches its algorithm at a number of boxes; both
    # are fixed here for all boxes, so that a part gives the same results as the complete set.
    if not nms_cfg.pop('class_agnostic', False):
        boxes = boxes + (labels.to(boxes) * (boxes.max() + 1))[:, None]
    by_class = len(boxes) >= nms_cfg.get('split_thr', 10000)
    nms_cfg.update(class_agnostic=True, split_thr=0 if by_class else len(boxes) + 1)
    kept, start, stop = labels.new_empty(0), 0, 2 * topk
    while True:
        part = torch.cat([kept, torch.arange(start, min(stop, len(boxes)), device=boxes.device)])
        rows, chosen = batched_nms(boxes[part], scores[part], labels[part], nms_cfg)
        kept = part[chosen]
        if len(kept) >= topk or stop >= len(boxes):
            return rows, kept
        start, stop = stop, 2 * stop
