"""Class and box branch of a level side by side, for inference."""
from typing import List, Sequence

import torch.nn as nn
from mmcv.cnn import ConvModule
from torch import Tensor

from ..plugins import SEAM, MultiSEAM
from .predictors import ScaledPredictor
from .side_by_side import can_join, side_by_side


class PairedBranches(nn.Module):
    """Two branches of stem, SEAM or MultiSEAM, and predictor, with half the operations of both apart.

    Args:
        branches (Sequence[nn.Sequential]): The two, for which :meth:`serves` holds.
    """

    def __init__(self, branches: Sequence[nn.Sequential]) -> None:
        super().__init__()
        (first_stem, first, _), (second_stem, second, _) = branches
        self.stem = side_by_side(first_stem, second_stem, same_input=True)
        self.attention = side_by_side(first, second)
        self.attention.switch_to_deploy()
        self.predictors = nn.ModuleList(ScaledPredictor(branch[-1]) for branch in branches)

    @staticmethod
    def serves(branches: Sequence[nn.Sequential]) -> bool:
        """Whether two branches are of that kind, with one ungrouped convolution as stem, and of the same width."""
        if any(len(branch) != 3 or not can_join(branch) for branch in branches):
            return False
        stems, attentions, _ = zip(*branches)
        return (all(isinstance(stem, ConvModule) and stem.groups == 1 for stem in stems)
                and all(isinstance(attention, (SEAM, MultiSEAM)) for attention in attentions)
                and _build(branches[0][:2]) == _build(branches[1][:2]))

    def forward(self, x: Tensor) -> List[Tensor]:
        """Map (B, C, H, W) to what each branch predicts, (B, C', H, W)."""
        x = self.stem(x)
        gains = self.attention.gain(x).chunk(2, 1)
        return [predict(part, gain) for predict, part, gain in zip(self.predictors, x.chunk(2, 1), gains)]


def _build(module: nn.Module) -> list:
    """Kind of each layer, and shapes of its parameters."""
    return [(type(layer), *(parameter.shape for parameter in layer.parameters(recurse=False)))
            for layer in module.modules()]
