"""1×1 convolutions that apply channel attention through their weights, for inference only."""
import torch
import torch.nn as nn
from torch import Tensor


class ScaledPredictor(nn.Module):
    """1×1 convolution that scales its weights instead of the channels of the map.

    This takes a few thousand products instead of one per value of the map, and saves a pass over the map.

    Args:
        predictor (nn.Conv2d): A 1×1 convolution with a bias.
    """

    def __init__(self, predictor: nn.Conv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(predictor.weight.detach().flatten(1))
        self.bias = nn.Parameter(predictor.bias.detach()[:, None])

    def forward(self, x: Tensor, gain: Tensor) -> Tensor:
        """Scale the channels of a map by gains (B, C) and convolve it, (B, C, H, W) to (B, C', H, W)."""
        weight = self.weight * gain.to(x.dtype)[:, None]
        return torch.baddbmm(self.bias, weight, x.flatten(2)).unflatten(2, x.shape[2:])


class GatedPredictor(nn.Module):
    """Compute ``predictor(attention(x))`` for an attention that only scales channels, without the scaled map.

    Args:
        attention (nn.Module): A layer with ``gain(x)``, (B, C, H, W) to (B, C).
        predictor (nn.Conv2d): A 1×1 convolution with a bias.
    """

    def __init__(self, attention: nn.Module, predictor: nn.Conv2d) -> None:
        super().__init__()
        self.attention = attention
        self.predictor = ScaledPredictor(predictor)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H, W)."""
        return self.predictor(x, self.attention.gain(x))
