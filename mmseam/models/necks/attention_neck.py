"""Attention behind any neck."""
from typing import Optional, Sequence, Tuple

import torch.nn as nn
from mmdet.utils import ConfigType, OptMultiConfig
from mmengine.model import BaseModule
from mmyolo.models.utils import make_divisible
from torch import Tensor

from mmseam.registry import MODELS

from ..plugins import build_attention


@MODELS.register_module()
class AttentionNeck(BaseModule):
    """One attention layer per level of a feature pyramid; goes behind a PAFPN or FPN in the neck's list.

    Args:
        in_channels (Sequence[int]): Channels of each level before widening.
        attention_cfg (:obj:`ConfigDict` or dict): The layer, without ``in_channels``; anything registered that maps
            (B, C, H, W) to (B, C, H, W).
        levels (Sequence[int], optional): Indices of the levels that get attention; the others pass unchanged.
            Defaults to None, which means all.
        widen_factor (float): Width multiplier of ``in_channels``. Defaults to 1.0.
        init_cfg (dict or list[dict], optional): Initialization config. Defaults to None.

    Raises:
        ValueError: If ``levels`` names a level that does not exist.

    Example:
        >>> import torch
        >>> from mmseam.models import AttentionNeck
        >>> neck = AttentionNeck(in_channels=[64, 64, 128], attention_cfg=dict(type='mmseam.SEAM'), levels=(0, 1))
        >>> [type(layer).__name__ for layer in neck.layers]
        ['SEAM', 'SEAM', 'Identity']
        >>> [tuple(level.shape) for level in neck([torch.rand(2, c, 8, 8) for c in (64, 64, 128)])]
        [(2, 64, 8, 8), (2, 64, 8, 8), (2, 128, 8, 8)]

        In a config, behind the FPN of a detector of MMDetection:

        >>> neck = [dict(type='FPN', in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=5),
        ...         dict(type='mmseam.AttentionNeck', in_channels=[256] * 5, attention_cfg=dict(type='mmseam.SEAM'))]
    """

    def __init__(self,
                 in_channels: Sequence[int],
                 attention_cfg: ConfigType,
                 levels: Optional[Sequence[int]] = None,
                 widen_factor: float = 1.0,
                 init_cfg: OptMultiConfig = None) -> None:
        super().__init__(init_cfg)
        chosen = set(range(len(in_channels)) if levels is None else levels)
        unknown = sorted(chosen - set(range(len(in_channels))))
        if unknown:
            raise ValueError(f'levels {unknown} do not exist: in_channels has {len(in_channels)} levels, from 0')
        self.layers = nn.ModuleList(
            build_attention(attention_cfg, make_divisible(channels, widen_factor)) if level in
            chosen else nn.Identity() for level, channels in enumerate(in_channels))

    def forward(self, inputs: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """Apply the attention layer of each level.

        Args:
            inputs (Sequence[Tensor]): One map (B, C, H, W) per level.

        Returns:
            Tuple[Tensor, ...]: Maps of the same shapes.

        Raises:
            ValueError: If the number of maps is not that of ``in_channels``.
        """
        if len(inputs) != len(self.layers):
            raise ValueError(f'the neck outputs {len(inputs)} levels but in_channels of AttentionNeck names '
                             f'{len(self.layers)}')
        return tuple(layer(x) for layer, x in zip(self.layers, inputs))
