"""Focal loss, sigmoid and softmax, with the results of mmcv's CUDA kernels, on any device.

Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5: FL = -alpha (1 - p)^gamma log(p).
Outputs are written in place, as mmcv's autograd functions expect.
"""
from typing import Tuple

import torch
from torch import Tensor

__all__ = [
    'sigmoid_focal_loss_backward', 'sigmoid_focal_loss_forward', 'softmax_focal_loss_backward',
    'softmax_focal_loss_forward'
]

_SMALLEST = torch.finfo(torch.float32).tiny  # mmcv's FLT_MIN: keeps the logarithm finite


def sigmoid_focal_loss_forward(input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float,
                               alpha: float) -> None:
    """Loss of every logit.

    Args:
        input (Tensor): Logits, shape (N, C).
        target (Tensor): Class of each row, C for background, int64, shape (N,).
        weight (Tensor): Weight of the rows of each class, shape (C,) or empty; background rows weigh 1.
        output (Tensor): Filled with the loss, shape (N, C).
        gamma (float): Focusing exponent.
        alpha (float): Weight of the positive logits; negative ones weigh 1 - alpha.
    """
    p, positive = _probability(input, target)
    loss_positive = -alpha * (1 - p)**gamma * _log(p)
    loss_negative = (alpha - 1) * p**gamma * _log(1 - p)
    output.copy_(torch.where(positive, loss_positive, loss_negative) * _row_weight(weight, target))


def sigmoid_focal_loss_backward(input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float,
                                alpha: float) -> None:
    """Fill ``grad_input``, shape (N, C), with the derivative of each logit's loss by that logit."""
    p, positive = _probability(input, target)
    slope_positive = -alpha * (1 - p)**gamma * (1 - p - gamma * p * _log(p))
    slope_negative = (alpha - 1) * p**gamma * (gamma * (1 - p) * _log(1 - p) - p)
    grad_input.copy_(torch.where(positive, slope_positive, slope_negative) * _row_weight(weight, target))


def softmax_focal_loss_forward(softmax: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float,
                               alpha: float) -> None:
    """Loss of every row.

    Args:
        softmax (Tensor): Probabilities, rows of sum 1, shape (N, C).
        target (Tensor): Class of each row; a negative one means no loss; int64, shape (N,).
        weight (Tensor): Weight of the rows of each class, shape (C,) or empty.
        output (Tensor): Filled with the loss, shape (N,).
        gamma (float): Focusing exponent.
        alpha (float): Weight of all rows.
    """
    p = _target_probability(softmax, target)
    loss = -alpha * (1 - p)**gamma * _log(p)
    output.copy_(loss * (target >= 0) * _row_weight(weight, target)[:, 0])


def softmax_focal_loss_backward(softmax: Tensor, target: Tensor, weight: Tensor, buff: Tensor, grad_input: Tensor,
                                gamma: float, alpha: float) -> None:
    """Fill ``grad_input``, shape (N, C), with the derivatives by the logits; ``buff``, shape (N,), is scratch."""
    p = _target_probability(softmax, target)
    slope = alpha * (1 - p)**(gamma - 1) * (gamma * p * _log(p) - (1 - p))
    buff.copy_(slope * (target >= 0) * _row_weight(weight, target)[:, 0])
    grad_input.copy_(buff[:, None] * (_one_hot(target, softmax).to(softmax) - softmax))


def _probability(logits: Tensor, target: Tensor) -> Tuple[Tensor, Tensor]:
    """Sigmoid, at least float32 because the smallest float16 is no guard of a logarithm, and the positive places."""
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return logits.to(dtype).sigmoid(), _one_hot(target, logits)


def _one_hot(target: Tensor, like: Tensor) -> Tensor:
    """Whether a column is the row's class, bool, shape (N, C); no column of a background or negative class is."""
    return torch.arange(like.size(1), device=like.device) == target[:, None]


def _target_probability(softmax: Tensor, target: Tensor) -> Tensor:
    dtype = torch.promote_types(softmax.dtype, torch.float32)
    return softmax.to(dtype).gather(1, target.clamp(min=0)[:, None])[:, 0]


def _log(p: Tensor) -> Tensor:
    return p.clamp(min=_SMALLEST).log()


def _row_weight(weight: Tensor, target: Tensor) -> Tensor:
    """Weight of each row, shape (N, 1); 1 for all rows without class weights."""
    if weight.numel() == 0:
        return weight.new_ones(target.size(0), 1)
    # mmcv's kernel reads past the end of `weight` for the background class.
    return torch.cat([weight, weight.new_ones(1)])[target][:, None]
