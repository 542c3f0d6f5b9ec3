"""Class and box branch of a level fused into grouped layers, for inference only."""
from typing import List, Sequence

import torch.nn as nn
from mmcv.cnn import ConvModule
from torch import Tensor

from ..plugins import SEAM, MultiSEAM
from .join_modules import can_join, join_modules
from .predictors import ScaledPredictor


class PairedBranches(nn.Module):
    """Two branches of stem, SEAM or MultiSEAM, and predictor, run with half as many operations.

    Args:
        branches (Sequence[nn.Sequential]): The two branches, for which :meth:`is_supported` holds.
    """

    def __init__(self, branches: Sequence[nn.Sequential]) -> None:
        super().__init__()
        (first_stem, first, _), (second_stem, second, _) = branches
        self.stem = join_modules(first_stem, second_stem, same_input=True)
        self.attention = join_modules(first, second)
        self.attention.switch_to_deploy()
        self.predictors = nn.ModuleList(ScaledPredictor(branch[-1]) for branch in branches)

    @staticmethod
    def is_supported(branches: Sequence[nn.Sequential]) -> bool:
        """Return whether two branches have these layers, an ungrouped convolution as stem, and equal widths."""
        if any(len(branch) != 3 or not can_join(branch) for branch in branches):
            return False
        stems, attentions, _ = zip(*branches)
        return (all(isinstance(stem, ConvModule) and stem.groups == 1 for stem in stems)
                and all(isinstance(attention, (SEAM, MultiSEAM)) for attention in attentions)
                and _signature(branches[0][:2]) == _signature(branches[1][:2]))

    def forward(self, x: Tensor) -> List[Tensor]:
        """Map (B, C, H, W) to the logits of each branch, (B, C', H, W)."""
        x = self.stem(x)
        gains = self.attention.gain(x).chunk(2, 1)
        return [predict(part, gain) for predict, part, gain in zip(self.predictors, x.chunk(2, 1), gains)]


def _signature(module: nn.Module) -> list:
    """Return the type of each layer and the shapes of its parameters."""
    return [(type(layer), *(parameter.shape for parameter in layer.parameters(recurse=False)))
            for layer in module.modules()]
