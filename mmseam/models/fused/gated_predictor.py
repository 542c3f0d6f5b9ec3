"""Channel attention and the 1×1 convolution behind it in one, for inference."""
import torch.nn as nn
from torch import Tensor

from .scaled_predictor import ScaledPredictor


class GatedPredictor(nn.Module):
    """``predictor(attention(x))`` where the attention only scales channels, without the scaled map.

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
