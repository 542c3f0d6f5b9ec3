"""C2PSA, the self-attention block at the end of YOLO11's backbone."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmdet.utils import ConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor

from ..fused.block_conv import BlockConv


class PSAAttention(BaseModule):
    """Multi-head self-attention over the positions of a map, with a depthwise positional convolution on the values.

    Args:
        channels (int): Channels in and out; keys and queries have half of each head's width.
        num_heads (int): Number of heads.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer. The three convolutions have no activation.
    """

    def __init__(self, channels: int, num_heads: int, norm_cfg: ConfigType) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = channels // num_heads
        self.key_dim = self.head_dim // 2
        cfg = dict(norm_cfg=norm_cfg, act_cfg=None)
        self.qkv = ConvModule(channels, channels + 2 * self.key_dim * num_heads, 1, **cfg)
        self.proj = ConvModule(channels, channels, 1, **cfg)
        self.pe = ConvModule(channels, channels, 3, padding=1, groups=channels, **cfg)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        heads = self.qkv(x).flatten(2).unflatten(1, (self.num_heads, 2 * self.key_dim + self.head_dim))
        query, key, value = heads.split((self.key_dim, self.key_dim, self.head_dim), 2)
        mixed = F.scaled_dot_product_attention(query.mT, key.mT, value.mT).mT
        return self.proj(mixed.reshape(x.shape) + self.pe(value.reshape(x.shape)))


class PSABlock(BaseModule):
    """Self-attention and a two-layer pointwise network, each with a shortcut.

    Args:
        channels (int): Channels in and out; one head per 64 of them, at least one.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer.
        act_cfg (:obj:`ConfigDict` or dict): Activation layer of the hidden pointwise layer.
    """

    def __init__(self, channels: int, norm_cfg: ConfigType, act_cfg: ConfigType) -> None:
        super().__init__()
        self.attn = PSAAttention(channels, max(channels // 64, 1), norm_cfg)
        self.ffn = nn.Sequential(
            ConvModule(channels, 2 * channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg),
            ConvModule(2 * channels, channels, 1, norm_cfg=norm_cfg, act_cfg=None))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        x = x + self.attn(x)
        return x + self.ffn(x)


class C2PSA(BaseModule):
    """Cross-stage layer with self-attention blocks on one half of its channels.

    Args:
        channels (int): Channels in and out.
        num_blocks (int): Number of attention blocks. Defaults to 1.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer.
            Defaults to dict(type='BN', momentum=0.03, eps=0.001).
        act_cfg (:obj:`ConfigDict` or dict): Activation layer. Defaults to dict(type='SiLU', inplace=False).
        init_cfg (dict or list[dict], optional): Initialization config. Defaults to None.
    """

    def __init__(self,
                 channels: int,
                 num_blocks: int = 1,
                 norm_cfg: ConfigType = dict(type='BN', momentum=0.03, eps=0.001),
                 act_cfg: ConfigType = dict(type='SiLU', inplace=False),
                 init_cfg: OptMultiConfig = None) -> None:
        super().__init__(init_cfg)
        half = channels // 2
        self.main_conv = ConvModule(channels, 2 * half, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.final_conv = ConvModule(2 * half, channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.blocks = nn.Sequential(*[PSABlock(half, norm_cfg, act_cfg) for _ in range(num_blocks)])

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        if isinstance(self.main_conv, BlockConv):
            passed, attended = self.main_conv([x])
            return self.final_conv([passed, self.blocks(attended)])[0]
        passed, attended = self.main_conv(x).chunk(2, 1)
        return self.final_conv(torch.cat((passed, self.blocks(attended)), 1))

    def switch_to_deploy(self) -> None:
        """Switch to the fused form for inference, without split and concatenation."""
        if not isinstance(self.main_conv, BlockConv):
            channels, halves = self.main_conv.in_channels, [self.main_conv.out_channels // 2] * 2
            self.main_conv = BlockConv(self.main_conv, [channels], halves)
            self.final_conv = BlockConv(self.final_conv, halves, [channels])
