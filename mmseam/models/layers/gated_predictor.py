"""Channel attention and the 1×1 convolution behind it in one, for inference."""
import torch
import torch.nn as nn
from torch import Tensor


class GatedPredictor(nn.Module):
    """``predictor(attention(x))`` where the attention only scales channels, without the scaled map.

    A 1×1 convolution of a scaled map is the convolution by scaled weights: a few thousand products instead of one for
    every value of the map, and one pass over the map less.

    Args:
        attention (nn.Module): A layer with ``gain(x)``, (B, C, H, W) to (B, C).
        predictor (nn.Conv2d): A 1×1 convolution with a bias.
    """

    def __init__(self, attention: nn.Module, predictor: nn.Conv2d) -> None:
        super().__init__()
        self.attention = attention
        self.weight = nn.Parameter(predictor.weight.detach().flatten(1))
        self.bias = nn.Parameter(predictor.bias.detach()[:, None])

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H, W)."""
        weight = self.weight * self.attention.gain(x).to(x.dtype)[:, None]
        return torch.baddbmm(self.bias, weight, x.flatten(2)).unflatten(2, x.shape[2:])
