"""Residual separable convolutions of SEAM, in the order convolution, activation, normalization."""
from typing import Optional, Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmcv.cnn import build_activation_layer, build_norm_layer
from mmdet.utils import ConfigType
from mmengine.dist import get_world_size
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm


class ConvActNorm(BaseModule):
    """Convolution with bias, activation, then normalization: the order of SEAM, which mmcv's ConvModule warns about.

    Args:
        in_channels (int): Channels in and out.
        kernel_size (int): Kernel size.
        stride (int): Stride. Defaults to 1.
        padding (int): Zero padding. Defaults to 0.
        groups (int): Convolution groups. Defaults to 1.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer.
        act_cfg (:obj:`ConfigDict` or dict): Activation layer.
    """

    def __init__(self, in_channels: int, kernel_size: int, *, stride: int = 1, padding: int = 0, groups: int = 1,
                 norm_cfg: ConfigType, act_cfg: ConfigType) -> None:
        super().__init__()
        self.norm_name, norm = build_norm_layer(norm_cfg, in_channels)
        # Registered before the convolution: mmcv's fuse_conv_bn folds each normalization that is registered after one
        # into it, which here, with an activation between the two, would be wrong.
        self.add_module(self.norm_name, norm)
        self.activate = build_activation_layer(act_cfg)
        self.conv = nn.Conv2d(in_channels, in_channels, kernel_size, stride, padding, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H', W')."""
        return self._normalize(self.activate(self.conv(x)))

    def pop_affine(self) -> Optional[Tuple[Tensor, Tensor]]:
        """Remove the normalization and return it, to be applied later at a lower cost.

        Returns:
            tuple[Tensor, Tensor], optional: Scale and shift of each channel, shape (C,), that the normalization
            applies in evaluation; None, with nothing removed, if it is not batch normalization.
        """
        norm = getattr(self, self.norm_name)
        if not isinstance(norm, _BatchNorm):
            return None
        setattr(self, self.norm_name, nn.Identity())
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        return scale.detach(), (norm.bias - norm.running_mean * scale).detach()

    def _normalize(self, x: Tensor) -> Tensor:
        """Normalize; a single value per channel has no variance, so the running statistics serve instead."""
        norm = getattr(self, self.norm_name)
        alone = norm.training and x.numel() == x.size(1) and isinstance(norm, _BatchNorm)
        if alone and not (isinstance(norm, nn.SyncBatchNorm) and get_world_size() > 1):
            return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        return norm(x)


class ResidualSeparableConv(BaseModule):
    """``x + depthwise(x)``, then a pointwise convolution; each of convolution, activation, normalization.

    Args:
        in_channels (int): Channels in and out.
        kernel_size (int): Odd kernel size of the depthwise convolution.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer.
        act_cfg (:obj:`ConfigDict` or dict): Activation layer.
    """

    def __init__(self, in_channels: int, kernel_size: int, norm_cfg: ConfigType, act_cfg: ConfigType) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f'kernel_size must be odd to keep the size of the map, got {kernel_size}')
        cfg = dict(norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.depthwise = ConvActNorm(in_channels, kernel_size, padding=kernel_size // 2, groups=in_channels, **cfg)
        self.pointwise = ConvActNorm(in_channels, 1, **cfg)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        return self.pointwise(x + self.depthwise(x))
