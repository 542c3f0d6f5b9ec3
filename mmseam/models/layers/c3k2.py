"""C3k2, the cross-stage block of YOLO11, from mmyolo's and mmdet's CSP layers."""
from typing import Optional, Sequence, Union

import torch.nn as nn
from mmdet.models.layers import CSPLayer
from mmdet.utils import ConfigType, OptMultiConfig
from mmyolo.models.layers import CSPLayerWithTwoConv
from mmyolo.models.layers.yolo_bricks import DarknetBottleneck
from torch import Tensor

from ..fused.block_conv import BlockConv


def _bottleneck(channels: int, expansion: float, add_identity: bool, norm_cfg: ConfigType,
                act_cfg: ConfigType) -> DarknetBottleneck:
    return DarknetBottleneck(
        channels,
        channels,
        expansion=expansion,
        kernel_size=(3, 3),
        padding=(1, 1),
        add_identity=add_identity,
        norm_cfg=norm_cfg,
        act_cfg=act_cfg)


class C3k(CSPLayer):
    """CSP layer with three convolutions around bottlenecks of two 3×3 convolutions.

    Args:
        channels (int): Channels in and out.
        num_blocks (int): Number of bottlenecks. Defaults to 2.
        add_identity (bool): Whether the bottlenecks have a shortcut. Defaults to True.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer.
        act_cfg (:obj:`ConfigDict` or dict): Activation layer.
    """

    def __init__(self, channels: int, num_blocks: int = 2, add_identity: bool = True, *, norm_cfg: ConfigType,
                 act_cfg: ConfigType) -> None:
        super().__init__(channels, channels, num_blocks=0, norm_cfg=norm_cfg, act_cfg=act_cfg)
        mid_channels = self.main_conv.out_channels
        self.blocks = nn.Sequential(
            *[_bottleneck(mid_channels, 1.0, add_identity, norm_cfg, act_cfg) for _ in range(num_blocks)])

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        if not isinstance(self.final_conv, BlockConv):
            return super().forward(x)
        return self.final_conv([self.blocks(self.main_conv(x)), self.short_conv(x)])[0]

    def switch_to_deploy(self) -> None:
        """Switch to the fused form for inference, without the concatenation."""
        if not isinstance(self.final_conv, BlockConv):
            out_channels = self.final_conv.out_channels
            self.final_conv = BlockConv(self.final_conv, [self.main_conv.out_channels] * 2, [out_channels])


class C3k2(CSPLayerWithTwoConv):
    """Cross-stage layer of YOLO11: C2f's skeleton around C3k layers or bottlenecks that halve their width.

    Args:
        in_channels (int): Input channels.
        out_channels (int): Output channels.
        expand_ratio (float): Width of the hidden half relative to ``out_channels``. Defaults to 0.5.
        num_blocks (int): Number of inner blocks. Defaults to 1.
        use_c3k (bool): Inner blocks are C3k layers instead of bottlenecks. Defaults to False.
        add_identity (bool): Whether the bottlenecks have a shortcut. Defaults to True.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer.
            Defaults to dict(type='BN', momentum=0.03, eps=0.001).
        act_cfg (:obj:`ConfigDict` or dict): Activation layer. Defaults to dict(type='SiLU', inplace=False).
        init_cfg (dict or list[dict], optional): Initialization config. Defaults to None.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 expand_ratio: float = 0.5,
                 num_blocks: int = 1,
                 use_c3k: bool = False,
                 add_identity: bool = True,
                 norm_cfg: ConfigType = dict(type='BN', momentum=0.03, eps=0.001),
                 act_cfg: ConfigType = dict(type='SiLU', inplace=False),
                 init_cfg: OptMultiConfig = None) -> None:
        super().__init__(
            in_channels,
            out_channels,
            expand_ratio=expand_ratio,
            num_blocks=num_blocks,
            add_identity=add_identity,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
            init_cfg=init_cfg)
        if use_c3k:
            blocks = [
                C3k(self.mid_channels, add_identity=add_identity, norm_cfg=norm_cfg, act_cfg=act_cfg)
                for _ in range(num_blocks)
            ]
        else:
            blocks = [_bottleneck(self.mid_channels, 0.5, add_identity, norm_cfg, act_cfg) for _ in range(num_blocks)]
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Union[Tensor, Sequence[Tensor]]) -> Tensor:
        """Map (B, C, H, W) to (B, C', H, W).

        Args:
            x (Tensor or Sequence[Tensor]): The feature map; in the fused form also the maps to be concatenated.

        Returns:
            Tensor: The output map.
        """
        if not isinstance(self.main_conv, BlockConv):
            return super().forward(x)
        maps = self.main_conv([x] if isinstance(x, Tensor) else x)
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return self.final_conv(maps)[0]

    def switch_to_deploy(self, in_channels: Optional[Sequence[int]] = None, num_upsampled: int = 0) -> None:
        """Switch to the fused form for inference, without split and concatenation.

        Args:
            in_channels (Sequence[int], optional): Channels of the maps that are passed instead of their
                concatenation. Defaults to None, one map.
            num_upsampled (int): Number of leading maps that are passed before they are upsampled. Defaults to 0.
        """
        if isinstance(self.main_conv, BlockConv):
            return
        mid, out = self.mid_channels, self.final_conv.out_channels
        self.main_conv = BlockConv(self.main_conv, in_channels or [self.main_conv.in_channels], [mid] * 2,
                                   num_upsampled)
        self.final_conv = BlockConv(self.final_conv, [mid] * (2 + len(self.blocks)), [out])
