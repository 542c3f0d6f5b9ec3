"""Give losses access to the assignment, which mmyolo's YOLOv8Head does not pass to them."""
from contextlib import ExitStack
from typing import Any, Dict, List, Sequence, Tuple

import torch
import torch.nn as nn
from mmdet.structures.bbox import bbox_overlaps
from mmyolo.models.dense_heads import YOLOv8Head
from torch import Tensor


class AssignmentObserver:
    """Pass the assignment of a batch to the losses of a head that need it.

    YOLOv8Head calls ``loss_cls(scores, targets)`` and ``loss_bbox(boxes, targets, weight=…)`` in one long method. While
    this context is entered, hooks record what the assigner gets and returns, weigh the classes by ``cls_weighting`` and
    pass the strides to a box loss that needs them.

    Args:
        head (YOLOv8Head): The head, with ``cls_weighting`` and ``loss_repulsion``, each None or a module.
    """

    is_positive: Tensor  #: Positions assigned to an object, shape (B, N).
    ious: Tensor  #: IoUs of the P positive predictions with their targets, shape (P,).
    strides: Tensor  #: Strides of the positive predictions, shape (P,).
    gt_bboxes: List[Tensor]  #: Objects of each image in pixels, shape (G_i, 4).
    assigned_gt_inds: List[Tensor]  #: Index of the object of each positive prediction of an image, shape (P_i,).

    def __init__(self, head: YOLOv8Head) -> None:
        self.head = head

    @staticmethod
    def is_needed(head: YOLOv8Head) -> bool:
        """Return whether a loss of the head needs more than YOLOv8Head passes to it."""
        return (head.cls_weighting is not None or head.loss_repulsion is not None
                or getattr(head.loss_bbox, 'needs_strides', False))

    def __enter__(self) -> 'AssignmentObserver':
        with ExitStack() as hooks:
            hooks.enter_context(self.head.assigner.register_forward_hook(self._record))
            if self.head.cls_weighting is not None:
                hook = self.head.loss_cls.register_forward_pre_hook(self._pass_weight, with_kwargs=True)
                hooks.enter_context(hook)
            if getattr(self.head.loss_bbox, 'needs_strides', False):
                hook = self.head.loss_bbox.register_forward_pre_hook(self._pass_strides, with_kwargs=True)
                hooks.enter_context(hook)
            self._hooks = hooks.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hooks.close()

    @torch.no_grad()
    def _record(self, assigner: nn.Module, inputs: tuple, assigned: Dict[str, Tensor]) -> None:
        """Copy the data of the positive samples, because YOLOv8Head changes the boxes in place afterwards."""
        pred_bboxes, _, priors, _, gt_bboxes, is_gt = inputs
        self.is_positive = assigned['fg_mask_pre_prior'].bool()
        targets = assigned['assigned_bboxes'][self.is_positive]
        self.ious = bbox_overlaps(pred_bboxes[self.is_positive], targets, is_aligned=True)
        self.strides = priors[:, 2].expand_as(self.is_positive)[self.is_positive]
        self.gt_bboxes = [boxes[real[:, 0] > 0] for boxes, real in zip(gt_bboxes, is_gt)]
        per_image = targets.split(self.is_positive.sum(1).tolist())
        self.assigned_gt_inds = [_find(boxes, gts) for boxes, gts in zip(per_image, self.gt_bboxes)]

    def _pass_weight(self, loss: nn.Module, args: Tuple[Tensor, ...], kwargs: dict) -> Tuple[tuple, dict]:
        """Add the weights of all positions in the format of mmdet's losses; those without an object have weight 1."""
        weight = torch.ones_like(self.is_positive, dtype=self.ious.dtype)
        weight[self.is_positive] = self.head.cls_weighting(self.ious)
        return args, dict(kwargs, weight=weight[..., None].expand_as(args[0]))

    def _pass_strides(self, loss: nn.Module, args: Tuple[Tensor, ...], kwargs: dict) -> Tuple[tuple, dict]:
        return args, dict(kwargs, strides=self.strides)

    def positive_boxes(self, bbox_preds: Sequence[Tensor]) -> List[Tensor]:
        """Decode the positive predictions, with their gradient.

        Args:
            bbox_preds (Sequence[Tensor]): Distances to the sides in strides of each level, (B, 4, H_l, W_l).

        Returns:
            list[Tensor]: Boxes of each image in pixels, in single precision at least, shape (P_i, 4).
        """
        distances = torch.cat([level.flatten(2) for level in bbox_preds], 2).transpose(1, 2)[self.is_positive]
        points = self.head.flatten_priors_train[:, :2].expand(*self.is_positive.shape, 2)[self.is_positive]
        distances = distances.to(torch.promote_types(distances.dtype, torch.float32))
        boxes = self.head.bbox_coder.decode(points[None], distances[None], self.strides)[0]
        return list(boxes.split(self.is_positive.sum(1).tolist()))


def _find(boxes: Tensor, among: Tensor) -> Tensor:
    """Return for each box, (P, 4), the index of the first equal box in (G, 4)."""
    if not len(boxes):
        return boxes.new_zeros(0, dtype=torch.long)
    return (boxes[:, None] == among).all(2).int().argmax(1)
