"""The losses of YOLO11's head: mmyolo's, normalized over all processes, and those that a config can add."""
from typing import Any, Dict, List, Sequence

import torch
from mmdet.utils import OptConfigType
from mmengine.dist import all_reduce, get_world_size
from mmyolo.models.dense_heads import YOLOv8Head
from torch import Tensor

from mmseam.registry import MODELS

from .assignment_observer import AssignmentObserver


class YOLO11LossHead(YOLOv8Head):
    """YOLOv8Head with losses that are normalized over all processes, weights by IoU and a repulsion loss.

    The processes of a training together compute the gradient of one process with the whole batch. A box loss with
    ``needs_strides`` (:class:`NWDIoULoss`) gets the strides of its boxes.

    Args:
        *args: As for :class:`mmyolo.models.YOLOv8Head`.
        cls_weighting (:obj:`ConfigDict` or dict, optional): Weights of the positive samples in the classification loss
            by their IoUs, such as :class:`SlideWeight`. Defaults to None, all weigh 1.
        loss_repulsion (:obj:`ConfigDict` or dict, optional): Loss of predictions near objects that are not theirs,
            such as :class:`RepulsionLoss`. Defaults to None.
        **kwargs: As for :class:`mmyolo.models.YOLOv8Head`.
    """

    def __init__(self,
                 *args: Any,
                 cls_weighting: OptConfigType = None,
                 loss_repulsion: OptConfigType = None,
                 **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cls_weighting = None if cls_weighting is None else MODELS.build(cls_weighting)
        self.loss_repulsion = None if loss_repulsion is None else MODELS.build(loss_repulsion)

    def loss_by_feat(self, cls_scores: Sequence[Tensor], bbox_preds: Sequence[Tensor], *args: Any,
                     **kwargs: Any) -> Dict[str, Tensor]:
        """Compute the losses.

        Args:
            cls_scores (Sequence[Tensor]): Class logits of each level, (B, num_classes, H_l, W_l).
            bbox_preds (Sequence[Tensor]): Distances to the sides in strides of each level, (B, 4, H_l, W_l).
            *args: As for :class:`mmyolo.models.YOLOv8Head`.
            **kwargs: As for :class:`mmyolo.models.YOLOv8Head`.

        Returns:
            dict[str, Tensor]: ``loss_cls``, ``loss_bbox``, ``loss_dfl`` and what ``loss_repulsion`` returns.
        """
        if not AssignmentObserver.is_needed(self):
            return self._host_losses(cls_scores, bbox_preds, *args, **kwargs)
        with AssignmentObserver(self) as assignment:
            losses = self._host_losses(cls_scores, bbox_preds, *args, **kwargs)
        if self.loss_repulsion is not None:
            losses.update(self._repulsion_losses(assignment, bbox_preds))
        return losses

    def _host_losses(self, cls_scores: Sequence[Tensor], *args: Any, **kwargs: Any) -> Dict[str, Tensor]:
        """Compute the losses of :class:`mmyolo.models.YOLOv8Head`, normalized over all processes.

        YOLOv8Head multiplies the summed losses of a process by ``images * processes / scores``, where ``scores`` is
        the sum of the assigned scores of this process alone. Averaging the gradients over the processes, as
        DistributedDataParallel does, would then weight an image by the boxes that its process happens to have.
        """
        if get_world_size() == 1:
            return super().loss_by_feat(cls_scores, *args, **kwargs)
        sums: List[Tensor] = []
        hook = self.assigner.register_forward_hook(lambda *call: sums.append(call[-1]['assigned_scores'].sum()))
        try:
            losses = super().loss_by_feat(cls_scores, *args, **kwargs)
        finally:
            hook.remove()
        scale = _scale_to_all_processes(sums[0], len(cls_scores[0]))
        return {name: loss * scale for name, loss in losses.items()}

    def _repulsion_losses(self, assignment: AssignmentObserver, bbox_preds: Sequence[Tensor]) -> Dict[str, Tensor]:
        """Compute the repulsion, times the images of the batch of all processes as the other losses are."""
        losses = self.loss_repulsion(assignment.positive_boxes(bbox_preds), assignment.gt_bboxes,
                                     assignment.assigned_gt_inds)
        num_images = torch.tensor(float(len(bbox_preds[0])), device=bbox_preds[0].device)
        all_reduce(num_images, 'sum')
        return {name: loss * num_images for name, loss in losses.items()}


def _scale_to_all_processes(assigned_scores_sum: Tensor, num_images: int) -> Tensor:
    """Factor from ``images / scores`` of this process to that of all; no process divides by less than one."""
    own = torch.stack([assigned_scores_sum.detach(), assigned_scores_sum.new_tensor(num_images)])
    total = own.clone()
    all_reduce(total, 'sum')
    return (total[1] / total[0].clamp(min=1)) * (own[0].clamp(min=1) / own[1])
