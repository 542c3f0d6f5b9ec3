"""Repulsion loss for crowds (Wang et al., "Repulsion Loss: Detecting Pedestrians in a Crowd", CVPR 2018).

No accuracy was measured for it here.
"""
import math
from typing import Dict, Sequence, Tuple

import torch
import torch.nn as nn
from mmdet.structures.bbox import bbox_overlaps
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor

from mmseam.registry import MODELS


def smooth_ln(x: Tensor, sigma: float) -> Tensor:
    """Compute the smooth logarithm of the repulsion loss (equation 5).

    ``-ln(1 - x)`` up to σ, from there on its tangent ``(x - σ) / (1 - σ) - ln(1 - σ)``.

    Args:
        x (Tensor): Overlaps in [0, 1], any shape.
        sigma (float): σ in [0, 1); at 0 the function is x itself.

    Returns:
        Tensor: Penalties from 0, of the shape of ``x``.

    Example:
        >>> smooth_ln(torch.tensor([0., 0.5, 0.95]), sigma=0.9)
        tensor([0.0000, 0.6931, 2.8026])
    """
    # Not torch.where: the logarithm's infinite slope at 1 would turn the gradient of the other branch into NaN.
    return (x - sigma).clamp(min=0) / (1 - sigma) - torch.log1p(-x.clamp(max=sigma))


@MODELS.register_module()
class RepulsionLoss(nn.Module):
    """Push predicted boxes away from objects and predictions that are not theirs.

    - RepGT (equations 3 and 4): the mean over all positive predictions B of ``smooth_ln(IoG(B, G))``, where G is
      the object, other than its target, that B overlaps most (by IoU), and IoG is the intersection over G's area.
    - RepBox (equation 6): ``smooth_ln(IoU)`` of pairs of predictions of different targets, divided by the number
      of pairs that overlap. Where the paper samples one prediction of each target, the one with the highest IoU is
      taken, which NMS would keep.

    The attraction term of the paper is the detector's own box loss. G is chosen by the predicted box, since a dense
    detector has no proposals.

    In the public code of YOLO-FaceV2 this loss has no gradient, because the predictions are detached, and its IoG
    takes boxes given by center and size for corners.

    Args:
        sigma_gt (float): σ of RepGT, in [0, 1). Defaults to 0.9: a logarithm whose slope stays below 10.
        sigma_box (float): σ of RepBox, in [0, 1). Defaults to 0: the IoU itself, which suits its many outliers.
        weight_gt (float): Factor of RepGT, the paper's α. Defaults to 0.5.
        weight_box (float): Factor of RepBox, the paper's β. Defaults to 0.5.
        loss_weight (float): Factor of both. Defaults to 1.0.

    Raises:
        ValueError: If a σ is outside of [0, 1) or a factor is negative.

    Example:
        >>> bbox_head = dict(loss_repulsion=dict(type='mmseam.RepulsionLoss'))  # of mmseam.YOLO11Head
    """

    def __init__(self,
                 sigma_gt: float = 0.9,
                 sigma_box: float = 0.,
                 weight_gt: float = 0.5,
                 weight_box: float = 0.5,
                 loss_weight: float = 1.0) -> None:
        super().__init__()
        for name, sigma in (('sigma_gt', sigma_gt), ('sigma_box', sigma_box)):
            if not 0 <= sigma < 1:
                raise ValueError(f'{name} must be at least 0 and less than 1, got {sigma}')
        for name, factor in (('weight_gt', weight_gt), ('weight_box', weight_box), ('loss_weight', loss_weight)):
            if not 0 <= factor < math.inf:
                raise ValueError(f'{name} must not be negative, got {factor}')
        self.sigma_gt = sigma_gt
        self.sigma_box = sigma_box
        self.weight_gt = weight_gt * loss_weight
        self.weight_box = weight_box * loss_weight

    def forward(self, pred_bboxes: Sequence[Tensor], gt_bboxes: Sequence[Tensor],
                assigned_gt_inds: Sequence[Tensor]) -> Dict[str, Tensor]:
        """Compute both losses; the means are over the images of all processes.

        Args:
            pred_bboxes (Sequence[Tensor]): Positive predictions of each image, x1, y1, x2, y2, shape (P_i, 4).
            gt_bboxes (Sequence[Tensor]): Ground truth of each image in the same unit, shape (G_i, 4).
            assigned_gt_inds (Sequence[Tensor]): Index of the target of each prediction, shape (P_i,).

        Returns:
            dict[str, Tensor]: ``loss_rep_gt`` and ``loss_rep_box``, scalars.
        """
        images = list(zip(pred_bboxes, gt_bboxes, assigned_gt_inds))
        by_gt = _mean([self._repel_from_gt(*image) for image in images])
        by_box = _mean([self._repel_from_boxes(*image) for image in images])
        return dict(loss_rep_gt=self.weight_gt * by_gt, loss_rep_box=self.weight_box * by_box)

    def _repel_from_gt(self, boxes: Tensor, gt_bboxes: Tensor, inds: Tensor) -> Tuple[Tensor, Tensor]:
        """Sum RepGT over the predictions of an image, and count them."""
        count = boxes.new_tensor(len(boxes))
        if not len(boxes):
            return boxes.sum(), count
        ious = bbox_overlaps(boxes.detach(), gt_bboxes).scatter(1, inds[:, None], -1)
        others = gt_bboxes[ious.argmax(1)]
        iogs = bbox_overlaps(others, boxes, mode='iof', is_aligned=True)
        has_other = ious.amax(1) >= 0  # not with a single object
        return (smooth_ln(iogs, self.sigma_gt) * has_other).sum(), count

    def _repel_from_boxes(self, boxes: Tensor, gt_bboxes: Tensor, inds: Tensor) -> Tuple[Tensor, Tensor]:
        """Sum RepBox over the pairs of an image, and count those that overlap."""
        best = boxes[_best_of_each_target(boxes.detach(), gt_bboxes, inds)]
        first, second = torch.triu_indices(len(best), len(best), 1, device=boxes.device)
        ious = bbox_overlaps(best[first], best[second], is_aligned=True)
        return smooth_ln(ious, self.sigma_box).sum(), (ious > 0).sum()


def _best_of_each_target(boxes: Tensor, gt_bboxes: Tensor, inds: Tensor) -> Tensor:
    """Return the index of the prediction that overlaps each target most, for targets that have predictions."""
    ious = bbox_overlaps(boxes, gt_bboxes[inds], is_aligned=True)
    order = ious.argsort(descending=True, stable=True)
    order = order[inds[order].argsort(stable=True)]  # by target, the best first
    targets = inds[order]
    is_first = torch.ones_like(targets, dtype=torch.bool)
    is_first[1:] = targets[1:] != targets[:-1]
    return order[is_first]


def _mean(sums_and_counts: Sequence[Tuple[Tensor, Tensor]]) -> Tensor:
    """Divide the sum by the count of all processes, times their number, by which averaged gradients are divided."""
    sums, counts = zip(*sums_and_counts)
    total = torch.stack(counts).sum().to(sums[0])
    all_reduce(total, 'sum')
    return torch.stack(sums).sum() * get_world_size() / total.clamp(min=1)
