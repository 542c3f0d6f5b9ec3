"""Sigmoid focal loss with the results of mmcv's CUDA kernel, on any device.

Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5: FL = -alpha (1 - p)^gamma log(p).
Outputs are written in place, as mmcv's autograd functions expect.
"""
from typing import Tuple

import torch
from torch import Tensor

from mmseam.compat.mmcv_ops import needs_compiled_mmcv

__all__ = ['sigmoid_focal_loss_backward', 'sigmoid_focal_loss_forward']

_SMALLEST = torch.finfo(torch.float32).tiny  # mmcv's FLT_MIN: keeps the logarithm finite


def sigmoid_focal_loss_forward(input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float,
                               alpha: float) -> None:
    """Compute the loss of every logit.

    Args:
        input (Tensor): Logits, shape (N, C).
        target (Tensor): Class of each row, C for background, int64, shape (N,).
        weight (Tensor): Empty; mmdet weights losses itself.
        output (Tensor): Filled with the loss, shape (N, C).
        gamma (float): Focusing exponent.
        alpha (float): Weight of the positive logits; negatives have the weight 1 - alpha.

    Raises:
        NotImplementedError: There are class weights.
    """
    if weight.numel():
        raise needs_compiled_mmcv('sigmoid_focal_loss with class weights')
    p, positive = _probability(input, target)
    loss_positive = -alpha * (1 - p)**gamma * _log(p)
    loss_negative = (alpha - 1) * p**gamma * _log(1 - p)
    output.copy_(torch.where(positive, loss_positive, loss_negative))


def sigmoid_focal_loss_backward(input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float,
                                alpha: float) -> None:
    """Fill ``grad_input``, shape (N, C), with the derivative of each logit's loss by that logit."""
    p, positive = _probability(input, target)
    slope_positive = -alpha * (1 - p)**gamma * (1 - p - gamma * p * _log(p))
    slope_negative = (alpha - 1) * p**gamma * (gamma * (1 - p) * _log(1 - p) - p)
    grad_input.copy_(torch.where(positive, slope_positive, slope_negative))


def _probability(logits: Tensor, target: Tensor) -> Tuple[Tensor, Tensor]:
    """Return the sigmoid and the mask of positives; at least float32, as float16 cannot keep the logarithm finite."""
    dtype = torch.promote_types(logits.dtype, torch.float32)
    # The background has no column
    positive = torch.arange(logits.size(1), device=logits.device) == target[:, None]
    return logits.to(dtype).sigmoid(), positive


def _log(p: Tensor) -> Tensor:
    return p.clamp(min=_SMALLEST).log()
