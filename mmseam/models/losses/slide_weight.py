"""Slide, a weighting of the classification loss by localization quality (YOLO-FaceV2, arXiv 2208.02019).

No accuracy was measured for it here.
"""
import torch
import torch.nn as nn
from mmengine.dist import all_reduce
from torch import Tensor

from mmseam.registry import MODELS


@MODELS.register_module()
class SlideWeight(nn.Module):
    """Weights of the positive samples by the IoU t of prediction and target, with a peak at the mean IoU μ.

    The weight is 1 if ``t <= μ - 0.1``, ``exp(1 - μ)`` if ``μ - 0.1 < t < μ``, and ``exp(1 - t)`` if ``t >= μ``
    (YOLO-FaceV2, the section on the Slide weight function). Samples of about average quality, between easy and hard,
    weigh most. As ``cls_weighting`` of :class:`YOLO11Head`, the samples are the positions assigned to an object;
    all others keep the weight 1.

    The public code of YOLO-FaceV2 has ``exp(μ)`` in the middle, not ``exp(1 - μ)``, and compares the class
    targets (0 or 1) with μ in the classification loss, where the formula has the IoU.

    Args:
        margin (float): Width of the middle part. Defaults to 0.1.

    Raises:
        ValueError: If ``margin`` is negative.
    """

    def __init__(self, margin: float = 0.1) -> None:
        super().__init__()
        if margin < 0:
            raise ValueError(f'margin must not be negative, got {margin}')
        self.margin = margin

    @torch.no_grad()
    def forward(self, ious: Tensor) -> Tensor:
        """Compute the weights of the positive samples; the mean is that of the samples of all processes.

        Args:
            ious (Tensor): IoUs of the predictions with their targets, shape (N,).

        Returns:
            Tensor: Weights of at least 1, shape (N,), without gradient.
        """
        total = torch.stack([ious.sum(), ious.new_tensor(ious.numel())])
        all_reduce(total, 'sum')
        mean = total[0] / total[1].clamp(min=1)
        slope = torch.exp(1 - torch.maximum(ious, mean))
        return torch.where(ious > mean - self.margin, slope, torch.ones_like(ious))
