"""RFE, the receptive field enhancement of YOLO-FaceV2 (arXiv 2208.02019; Pattern Recognition 155:110714).

One 3×3 kernel is applied with several dilation rates, as in TridentNet (arXiv 1901.01892), so that the same weights see
small and large patterns. RFE is not an attention layer, but maps (B, C, H, W) to (B, C, H, W) and can be used wherever
attention layers can. No accuracy was measured for it here.
"""
from typing import Sequence

import torch.nn as nn
import torch.nn.functional as F
from mmcv.cnn import build_activation_layer, build_norm_layer
from mmcv.cnn.utils import fuse_conv_bn
from mmdet.utils import ConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor

from mmseam.registry import MODELS

from ..utils.initialization import reset_parameters_of_children


@MODELS.register_module()
class RFE(BaseModule):
    """Receptive field enhancement: ``y = x + act(norm(Σ_d conv_d(x)))``.

    ``conv_d`` is the convolution of the shared kernel with dilation d (YOLO-FaceV2, the section on the RFE module).
    Parameters with C channels: 9C² + 2C for any number of dilations.

    The public code normalizes each dilated map on its own, all by one BatchNorm. In training each is normalized by its
    own statistics, in evaluation all by their mixture, so the two disagree. Here the sum is normalized, once. The
    bottleneck and the split of the public block (C3) are left to the surrounding layer.

    Args:
        in_channels (int): Channels of the map.
        dilations (Sequence[int]): Dilation rates, one per application of the kernel. Defaults to (1, 2, 3).
        identity_init (bool): Start as the identity, with the scale of the normalization at zero; for networks that
            start from pretrained weights. Defaults to False.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer.
            Defaults to dict(type='BN', momentum=0.03, eps=0.001), YOLO11's.
        act_cfg (:obj:`ConfigDict` or dict): Activation layer. Defaults to dict(type='SiLU', inplace=False).
        init_cfg (dict or list[dict], optional): Initialization config. Defaults to None.

    Raises:
        ValueError: If ``dilations`` is empty or holds anything but whole numbers of at least 1.
    """

    def __init__(self,
                 in_channels: int,
                 dilations: Sequence[int] = (1, 2, 3),
                 identity_init: bool = False,
                 norm_cfg: ConfigType = dict(type='BN', momentum=0.03, eps=0.001),
                 act_cfg: ConfigType = dict(type='SiLU', inplace=False),
                 init_cfg: OptMultiConfig = None) -> None:
        super().__init__(init_cfg)
        if not dilations or any(not isinstance(rate, int) or rate < 1 for rate in dilations):
            raise ValueError(f'dilations must be whole numbers of at least 1, got {dilations!r}')
        self.dilations = tuple(dilations)
        self.identity_init = identity_init
        self.conv = nn.Conv2d(in_channels, in_channels, 3, bias=False)
        self.norm_name, norm = build_norm_layer(norm_cfg, in_channels)
        self.add_module(self.norm_name, norm)
        self.activate = build_activation_layer(act_cfg)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize as PyTorch does, the scale of the normalization with zeros if ``identity_init``."""
        reset_parameters_of_children(self)
        if self.identity_init:
            nn.init.zeros_(getattr(self, self.norm_name).weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W), any H and W from 1."""
        weight, bias = self.conv.weight, self.conv.bias
        first, *others = self.dilations
        total = F.conv2d(x, weight, bias, padding=first, dilation=first)  # a folded normalization shifts the sum once
        for rate in others:
            total = total + F.conv2d(x, weight, padding=rate, dilation=rate)
        return x + self.activate(getattr(self, self.norm_name)(total))

    def switch_to_deploy(self) -> None:
        """Fold the normalization into the shared kernel, for inference; the outputs are equal to rounding."""
        fuse_conv_bn(self)
