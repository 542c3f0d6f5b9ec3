"""SE and ECA, the usual channel attention to compare SEAM and MultiSEAM with.

Both are gates ``y = x * sigmoid(f(pool(x)))`` with one factor in (0, 1) per channel. mmyolo registers a third
one, ``dict(type='CBAM')``, which takes the same arguments as the layers here.
"""
import math
from typing import Any

import torch.nn as nn
from mmdet.models.layers import SELayer
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor

from mmseam.registry import MODELS

from .channel_gate import scale_channels


@MODELS.register_module()
class SE(SELayer):
    """Squeeze-and-excitation (Hu et al., CVPR 2018, arXiv 1709.01507): mmdet's layer, registered.

    Parameters with C channels: 2C⌊C/16⌋ + C + ⌊C/16⌋.

    Args:
        in_channels (int): Channels of the map.
        ratio (int): Channels are squeezed to ``max(in_channels // ratio, 1)``. Defaults to 16.
        **kwargs: As for :class:`mmdet.models.layers.SELayer`.
    """

    def __init__(self, in_channels: int, ratio: int = 16, **kwargs: Any) -> None:
        # mmdet's layer has no channels at all where the ratio is larger.
        super().__init__(in_channels, min(ratio, in_channels), **kwargs)

    def gain(self, x: Tensor) -> Tensor:
        """Compute the factors of the channels of ``x``, (B, C, H, W) to (B, C)."""
        return self.conv2(self.conv1(self.global_avgpool(x))).flatten(1)


@MODELS.register_module()
class ECA(BaseModule):
    """Efficient channel attention (Wang et al., CVPR 2020, arXiv 1910.03151): a convolution along the channels.

    The kernel size, and with it the number of parameters, follows the channels (equation 12):
    ``(log₂ C + b) / γ``, rounded down, plus one if that is even.

    Args:
        in_channels (int): Channels of the map, C.
        gamma (float): Divisor of the logarithm. Defaults to 2.
        b (float): Shift of the logarithm. Defaults to 1.
        init_cfg (dict or list[dict], optional): Initialization config. Defaults to None.
    """

    def __init__(self, in_channels: int, gamma: float = 2, b: float = 1, init_cfg: OptMultiConfig = None) -> None:
        super().__init__(init_cfg)
        size = int((math.log2(in_channels) + b) / gamma) | 1
        self.conv = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Gate the channels of ``x``, (B, C, H, W) to (B, C, H, W)."""
        return scale_channels(x, self.gain(x))

    def gain(self, x: Tensor) -> Tensor:
        """Compute the factors of the channels of ``x``, (B, C, H, W) to (B, C)."""
        return self.conv(x.mean((2, 3))[:, None])[:, 0].sigmoid()
