"""SEAM and MultiSEAM, the occlusion attention of YOLO-FaceV2 (arXiv 2208.02019; Pattern Recognition 155:110714).

Both are channel gates, ``y = x * exp(sigmoid(fc(pool(body(x)))))``: a small convolutional body processes the feature
map, its output is averaged over all positions, and each channel is multiplied by one gain in [1, e]. The paper argues
that a stronger response of the visible parts makes up for the occluded ones. Note that a gain per channel cannot select
positions, and that add-on attention often improves nothing under an equal recipe: measure with several seeds and a
parameter-matched control.

By default both equal the published code to rounding, except where that code fails: a map smaller than a patch is
padded, a single value per channel is normalized by the running statistics, and fewer than 16 channels are allowed.
The published body ends in a normalization layer. With a single image in a training batch, its average is therefore
that layer's bias for any image, and the body learns nothing: train with at least two images per GPU, or with
synchronized batch normalization.
Options, all off by default, fix known weaknesses: see ``pad_to_patch``, ``patch_groups`` and ``identity_init``.
"""
from typing import Sequence, Union

import torch
import torch.nn as nn
from mmdet.utils import ConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor

from mmseam.registry import MODELS

from ..utils.initialization import reset_parameters_of_children
from .channel_gate import ExponentialChannelGate, scale_channels
from .patch_body import PatchBody
from .separable_conv import ResidualSeparableConv


@MODELS.register_module()
class SEAM(BaseModule):
    """Separated and Enhancement Attention Module (arXiv 2208.02019, section 3.3).

    Parameters with ``depth=1``, ``kernel_size=3`` and C channels: C² + 15C + 2C⌊C/16⌋.

    Args:
        in_channels (int): Channels of the map.
        depth (int): Number of residual separable convolutions. Defaults to 1.
        kernel_size (int): Odd kernel size of their depthwise part. Defaults to 3.
        reduction (int): Squeeze ratio of the gate. Defaults to 16.
        identity_init (bool): Start as the identity instead of at a mean gain of 1.65; for networks that start from
            pretrained weights. Defaults to False.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer.
            Defaults to dict(type='BN', momentum=0.03, eps=0.001), YOLO11's.
        act_cfg (:obj:`ConfigDict` or dict): Activation layer. Defaults to dict(type='GELU').
        init_cfg (dict or list[dict], optional): Initialization config. Defaults to None.

    Raises:
        ValueError: If ``kernel_size`` is even, or a number is below 1.

    Example:
        >>> import torch
        >>> from mmseam.models import SEAM
        >>> layer = SEAM(in_channels=64)
        >>> layer(torch.rand(2, 64, 20, 20)).shape
        torch.Size([2, 64, 20, 20])
        >>> sum(parameter.numel() for parameter in layer.parameters())
        5568
    """

    def __init__(self,
                 in_channels: int,
                 depth: int = 1,
                 kernel_size: int = 3,
                 reduction: int = 16,
                 identity_init: bool = False,
                 norm_cfg: ConfigType = dict(type='BN', momentum=0.03, eps=0.001),
                 act_cfg: ConfigType = dict(type='GELU'),
                 init_cfg: OptMultiConfig = None) -> None:
        super().__init__(init_cfg)
        _require_positive(in_channels=in_channels, depth=depth, kernel_size=kernel_size, reduction=reduction)
        self.body = nn.Sequential(
            *[ResidualSeparableConv(in_channels, kernel_size, norm_cfg, act_cfg) for _ in range(depth)])
        self.gate = ExponentialChannelGate(in_channels, reduction, identity_init)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize as published: convolutions Xavier-uniform, the rest as PyTorch does."""
        reset_parameters_of_children(self)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Gate the channels of ``x``, (B, C, H, W) to (B, C, H, W), any H and W from 1."""
        return scale_channels(x, self.gain(x))

    def gain(self, x: Tensor) -> Tensor:
        """Compute the channel gains of ``x``, (B, C, H, W) to (B, C)."""
        return self.gate(self.body(x).mean((2, 3)))

    def switch_to_deploy(self) -> None:
        """Switch to the fused form for inference; the outputs are equal to rounding.

        The body's last normalization is affine, so it commutes with the pooling and is folded into the gate.
        """
        affine = self.body[-1].pointwise.pop_affine()
        if affine is not None:
            self.gate.absorb_affine(affine[0][None], affine[1])


@MODELS.register_module()
class MultiSEAM(BaseModule):
    """Multi-scale SEAM, with patch embeddings of several sizes (arXiv 2208.02019, section 3.3).

    The pooled vectors of all branches and of the map itself are averaged before the gate. Parameters with the
    defaults and C channels: 86C² + 54C + 2C⌊C/16⌋, of which 57 % are the 7×7 embedding.

    Args:
        in_channels (int): Channels of the map.
        depth (int): Residual separable convolutions of each branch. Defaults to 1.
        kernel_size (int): Odd kernel size of their depthwise part. Defaults to 3.
        patch_sizes (Sequence[int]): Patch sizes in pixels of the map, one per branch. Defaults to (3, 5, 7), as in
            the article on YOLO11; the neck block of YOLO-FaceV2 has (6, 7, 8).
        reduction (int): Squeeze ratio of the gate. Defaults to 16.
        pad_to_patch (bool): Pad the map with zeros at the bottom and right to a multiple of each patch. Without it
            the remaining border is ignored: at 640 pixels the patch of 7 covers 49 % of the P5 map.
            Defaults to False, as published.
        patch_groups (int or str): Groups of the patch embeddings, or ``'depthwise'`` for one per channel. Dense
            embeddings hold nearly all the weights; depthwise ones are about 50 times smaller, and the pointwise
            convolution that follows mixes the channels. Defaults to 1, as published.
        identity_init (bool): Start as the identity instead of at a mean gain of 1.65; for networks that start from
            pretrained weights. Defaults to False.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer.
            Defaults to dict(type='BN', momentum=0.03, eps=0.001), YOLO11's.
        act_cfg (:obj:`ConfigDict` or dict): Activation layer. Defaults to dict(type='SiLU', inplace=False), as in
            the article and in version 1.0.0 of YOLO-FaceV2; its later code has GELU.
        init_cfg (dict or list[dict], optional): Initialization config. Defaults to None.

    Raises:
        ValueError: If ``kernel_size`` is even, ``patch_sizes`` is empty, ``patch_groups`` does not divide
            ``in_channels``, or a number is below 1.

    Example:
        >>> import torch
        >>> from mmseam.models import MultiSEAM
        >>> layer = MultiSEAM(in_channels=64, patch_groups='depthwise', pad_to_patch=True, identity_init=True)
        >>> x = torch.rand(2, 64, 20, 20)
        >>> torch.equal(layer(x), x)  # as long as it is not trained
        True
    """

    def __init__(self,
                 in_channels: int,
                 depth: int = 1,
                 kernel_size: int = 3,
                 patch_sizes: Sequence[int] = (3, 5, 7),
                 reduction: int = 16,
                 pad_to_patch: bool = False,
                 patch_groups: Union[int, str] = 1,
                 identity_init: bool = False,
                 norm_cfg: ConfigType = dict(type='BN', momentum=0.03, eps=0.001),
                 act_cfg: ConfigType = dict(type='SiLU', inplace=False),
                 init_cfg: OptMultiConfig = None) -> None:
        super().__init__(init_cfg)
        _require_positive(in_channels=in_channels, depth=depth, kernel_size=kernel_size, reduction=reduction)
        if not patch_sizes:
            raise ValueError('patch_sizes must name at least one patch size, for example (3, 5, 7)')
        for size in patch_sizes:
            _require_positive(patch_sizes=size)
        groups = in_channels if patch_groups == 'depthwise' else patch_groups
        if not isinstance(groups, int) or groups < 1 or in_channels % groups:
            raise ValueError(
                f"patch_groups must divide in_channels={in_channels} or be 'depthwise', got {patch_groups!r}")
        self.bodies = nn.ModuleList(
            PatchBody(in_channels, size, depth, kernel_size, groups, pad_to_patch, norm_cfg, act_cfg)
            for size in patch_sizes)
        self.gate = ExponentialChannelGate(in_channels, reduction, identity_init)
        self.is_deployed = False

    def reset_parameters(self) -> None:
        """Initialize as published, which is as PyTorch does."""
        reset_parameters_of_children(self)

    def forward(self, x: Tensor) -> Tensor:
        """Gate the channels of ``x``, (B, C, H, W) to (B, C, H, W), any H and W from 1."""
        return scale_channels(x, self.gain(x))

    def gain(self, x: Tensor) -> Tensor:
        """Compute the channel gains of ``x``, (B, C, H, W) to (B, C)."""
        pooled = [x.mean((2, 3)), *[body(x) for body in self.bodies]]
        return self.gate(torch.cat(pooled, 1) if self.is_deployed else torch.stack(pooled).mean(0))

    def switch_to_deploy(self) -> None:
        """Switch to the fused form for inference; the outputs are equal to rounding.

        The last normalizations of the bodies are affine, so they commute with the pooling; with the average over the
        bodies they are folded into the gate.
        """
        affine = [body.blocks[-1].pointwise.pop_affine() for body in self.bodies]
        if affine[0] is None:  # all are of one kind
            return
        scales, shifts = (torch.stack(values) for values in zip(*affine))
        share = 1 / (len(self.bodies) + 1)
        self.gate.absorb_affine(share * torch.cat([torch.ones_like(scales[:1]), scales]), share * shifts.sum(0))
        self.is_deployed = True


def _require_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if not isinstance(number, int) or number < 1:
            raise ValueError(f'{name} must be a whole number of at least 1, got {number!r}')
