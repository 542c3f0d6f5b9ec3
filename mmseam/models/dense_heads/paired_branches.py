"""Class and box branch of a level side by side, for inference."""
from typing import List, Sequence

import torch.nn as nn
from torch import Tensor

from ..layers import SEAM, MultiSEAM, ScaledPredictor, can_join, side_by_side


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
        """Whether two branches are of that kind and of the same width."""
        if any(len(branch) != 3 or not can_join(branch) for branch in branches):
            return False
        (_, first, first_predictor), (_, second, second_predictor) = branches
        return (type(first) is type(second) and isinstance(first, (SEAM, MultiSEAM))
                and first_predictor.in_channels == second_predictor.in_channels)

    def forward(self, x: Tensor) -> List[Tensor]:
        """Map (B, C, H, W) to what each branch predicts, (B, C', H, W)."""
        x = self.stem(x)
        gains = self.attention.gain(x).chunk(2, 1)
        return [predict(part, gain) for predict, part, gain in zip(self.predictors, x.chunk(2, 1), gains)]
