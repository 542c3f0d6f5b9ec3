"""Pointwise convolution between lists of feature maps, for inference only."""
from typing import List, Sequence

import torch.nn as nn
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmcv.cnn.utils import fuse_conv_bn
from torch import Tensor

from .pointwise_conv import PointwiseConv


class BlockConv(nn.Module):
    """1×1 convolution of concatenated inputs or with split outputs, without copying the maps.

    The weight is cut into blocks, one for each pair of an output and an input map: output j is the activation of the
    sum over i of block (j, i) of map i. A map that would be upsampled first (nearest neighbor, factor 2) is convolved
    before the upsampling, which gives the same at a quarter of the cost.

    Args:
        conv (ConvModule): The convolution, with a normalization and an activation as usual; 1×1, stride 1.
        in_channels (Sequence[int]): Channels of the maps whose concatenation ``conv`` takes.
        out_channels (Sequence[int]): Channels of the maps into which its output is split.
        num_upsampled (int): Number of leading input maps that are upsampled. Defaults to 0.
    """

    def __init__(self, conv: ConvModule, in_channels: Sequence[int], out_channels: Sequence[int],
                 num_upsampled: int = 0) -> None:
        super().__init__()
        weight, bias = _folded(conv)
        self.num_upsampled = num_upsampled
        self.activate = conv.activate
        self.rows = nn.ModuleList(
            nn.ModuleList(_pointwise(block, b if i == 0 else None) for i, block in enumerate(row.split(in_channels, 1)))
            for row, b in zip(weight.split(out_channels), bias.split(out_channels)))

    def forward(self, maps: Sequence[Tensor]) -> List[Tensor]:
        """Convert maps (B, C_i, H, W), the first ``num_upsampled`` (B, C_i, H / 2, W / 2), to maps (B, C_j, H, W)."""
        return [self.activate(self._sum(row, maps)) for row in self.rows]

    def _sum(self, row: nn.ModuleList, maps: Sequence[Tensor]) -> Tensor:
        total = None
        for index, (conv, x) in enumerate(zip(row, maps)):
            if index < self.num_upsampled:
                y = F.interpolate(conv(x), scale_factor=2., mode='nearest')
                total = y if total is None else total.add_(y)
            else:
                total = conv(x) if total is None else conv.add_to(total, x)
        return total


def _folded(conv: ConvModule) -> tuple:
    fuse_conv_bn(conv)
    return conv.conv.weight.detach(), conv.conv.bias.detach()


def _pointwise(weight: Tensor, bias: Tensor = None) -> PointwiseConv:
    conv = nn.Conv2d(weight.size(1), weight.size(0), 1, bias=bias is not None)
    conv.weight = nn.Parameter(weight.contiguous())
    if bias is not None:
        conv.bias = nn.Parameter(bias.contiguous())
    return PointwiseConv(conv)
