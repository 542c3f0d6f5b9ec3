"""Normalized Gaussian Wasserstein distance as a part of the box loss (arXiv 2110.13389).

The IoU of small boxes falls to zero within a few pixels and then no longer says how far apart two boxes are; this
distance does. YOLO-FaceV2 (arXiv 2208.02019) weighs it .2 against .8 for the CIoU loss. No accuracy was
measured for it here.
"""
from typing import Optional, Tuple, Union

import torch
from mmdet.models.losses.utils import weight_reduce_loss
from mmdet.structures.bbox import HorizontalBoxes
from mmyolo.models.losses import IoULoss
from torch import Tensor

from mmseam.registry import MODELS


def normalized_wasserstein_distance(pred: Tensor, target: Tensor, constant: float) -> Tensor:
    """Compute the similarity ``exp(-sqrt(W₂²) / C)`` of boxes as Gaussian distributions.

    Each box is a Gaussian with its center as mean and half its width and height as standard deviations, so W₂² is the
    squared Euclidean distance of (x, y, w/2, h/2) of the two boxes (arXiv 2110.13389, section 3).

    Args:
        pred (Tensor): Boxes x1, y1, x2, y2, shape (..., 4).
        target (Tensor): Boxes x1, y1, x2, y2, shape (..., 4).
        constant (float): C, in the unit of the boxes.

    Returns:
        Tensor: Similarities in (0, 1], shape (...,); 1 for equal boxes. The gradient at equal boxes is zero.

    Example:
        >>> box = torch.tensor([10., 10., 18., 18.])
        >>> normalized_wasserstein_distance(box, box + 8, constant=12.8)  # neighbors, whose IoU is 0
        tensor(0.4132)
    """
    difference = HorizontalBoxes.xyxy_to_cxcywh(pred - target)  # linear, so the difference may come first
    scale = difference.new_tensor([1, 1, .5, .5])
    return torch.exp(-torch.linalg.vector_norm(difference * scale, dim=-1) / constant)


@MODELS.register_module()
class NWDIoULoss(IoULoss):
    """Box loss ``(1 - nwd_ratio) * (1 - IoU) + nwd_ratio * (1 - NWD)`` in place of :class:`mmyolo.models.IoULoss`.

    Weights, reduction and ``loss_weight`` act as in the IoU loss; ``nwd_ratio=0`` is that loss.

    The constant of the distance is a length: the paper takes the mean size of the objects of its dataset, in pixels.
    YOLO-FaceV2's code has C = 1 for boxes in strides, so C is 8 pixels on P3 and 32 on P5. ``unit='pixel'`` measures
    all levels alike; :class:`YOLO11Head` passes the strides that it needs.

    Args:
        nwd_ratio (float): Share of the distance, from 0 to 1. Defaults to 0.2, YOLO-FaceV2's.
        constant (float): C, in ``unit``. Defaults to 12.8, the mean size of the objects of AI-TOD in pixels.
        unit (str): 'pixel' or 'head'. With 'head' the boxes are taken as the head passes them: in strides from mmyolo's
            heads, in pixels from most of mmdet's. Defaults to 'pixel'.
        iou_mode (str): 'ciou', 'giou' or 'siou'. Defaults to 'ciou'.
        bbox_format (str): 'xyxy', the format of YOLOv8's and YOLO11's heads, or 'xywh'. Defaults to 'xyxy'.
        return_iou (bool): Return the IoUs as a second value. Defaults to False.
        **kwargs: ``eps``, ``reduction`` and ``loss_weight`` of :class:`mmyolo.models.IoULoss`.

    Raises:
        ValueError: ``nwd_ratio`` is out of range, ``constant`` is not positive or ``unit`` is unknown.

    Example:
        >>> loss_bbox = dict(type='mmseam.NWDIoULoss', reduction='sum', loss_weight=7.5)
    """

    def __init__(self,
                 nwd_ratio: float = 0.2,
                 constant: float = 12.8,
                 unit: str = 'pixel',
                 iou_mode: str = 'ciou',
                 bbox_format: str = 'xyxy',
                 return_iou: bool = False,
                 **kwargs) -> None:
        super().__init__(iou_mode=iou_mode, bbox_format=bbox_format, return_iou=return_iou, **kwargs)
        if not 0 <= nwd_ratio <= 1:
            raise ValueError(f'nwd_ratio must be from 0 to 1, got {nwd_ratio}')
        if not constant > 0:
            raise ValueError(f'constant must be positive, got {constant}')
        if unit not in ('pixel', 'head'):
            raise ValueError(f"unit must be 'pixel' or 'head', got {unit!r}")
        self.nwd_ratio = nwd_ratio
        self.constant = constant
        self.unit = unit

    @property
    def needs_strides(self) -> bool:
        """Whether the head must pass the stride of each box."""
        return self.unit == 'pixel'

    def forward(self,
                pred: Tensor,
                target: Tensor,
                weight: Optional[Tensor] = None,
                avg_factor: Optional[float] = None,
                reduction_override: Optional[str] = None,
                strides: Optional[Tensor] = None) -> Union[Tensor, Tuple[Tensor, Tensor]]:
        """Compute the loss.

        Args:
            pred (Tensor): Predicted boxes, shape (N, 4).
            target (Tensor): Their targets, shape (N, 4).
            weight (Tensor, optional): Weights of the boxes, shape (N,) or (N, 1). Defaults to None.
            avg_factor (float, optional): Divisor of the mean. Defaults to None, the number of boxes.
            reduction_override (str, optional): 'none', 'mean' or 'sum' in place of ``reduction``. Defaults to None.
            strides (Tensor, optional): Pixels per unit of each box, shape (N,). Defaults to None.

        Returns:
            Tensor or tuple[Tensor, Tensor]: The loss, a scalar, or (N,) for 'none'; with ``return_iou`` also the IoUs.

        Raises:
            ValueError: ``unit`` is 'pixel', but the head passes no strides.
        """
        result = super().forward(pred, target, weight, avg_factor, reduction_override)
        loss_iou, *ious = result if isinstance(result, tuple) else (result, )
        if weight is not None and weight.dim() > 1:
            weight = weight.mean(-1)
        distance = weight_reduce_loss(1 - self.similarity(pred, target, strides), weight,
                                      reduction_override or self.reduction, avg_factor)
        loss = (1 - self.nwd_ratio) * loss_iou + self.nwd_ratio * self.loss_weight * distance
        return (loss, *ious) if ious else loss

    def similarity(self, pred: Tensor, target: Tensor, strides: Optional[Tensor] = None) -> Tensor:
        """Compute the normalized Wasserstein distance of each pair of boxes, (N, 4) and (N, 4) to (N,)."""
        if self.bbox_format == 'xywh':
            pred, target = map(HorizontalBoxes.cxcywh_to_xyxy, (pred, target))
        if not self.needs_strides:
            return normalized_wasserstein_distance(pred, target, self.constant)
        if strides is None:
            raise ValueError("NWDIoULoss(unit='pixel') needs the stride of each box, which mmseam.YOLO11Head passes; "
                             "with another head set unit='head' and the constant in the unit of its boxes")
        return normalized_wasserstein_distance(pred * strides[:, None], target * strides[:, None], self.constant)
