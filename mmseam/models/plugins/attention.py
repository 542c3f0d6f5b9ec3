"""Attention layers from configs."""
import torch.nn as nn
from mmdet.utils import ConfigType

from mmseam.registry import MODELS


def build_attention(cfg: ConfigType, in_channels: int) -> nn.Module:
    """Build a shape-preserving attention layer from any OpenMMLab registry.

    The lookup starts at mmseam's registry whatever the default scope of the running config is, so the same
    ``dict(type='mmseam.MultiSEAM')`` or ``dict(type='CBAM')`` works inside mmyolo's and mmdet's detectors.

    Args:
        cfg (:obj:`ConfigDict` or dict): Config with a ``type`` and the layer's arguments except ``in_channels``.
        in_channels (int): Channels of the map that the layer gets and returns.

    Returns:
        nn.Module: A layer mapping (B, C, H, W) to (B, C, H, W).

    Raises:
        KeyError: If ``cfg`` has no ``type`` or no registry knows it.

    Example:
        >>> from mmseam.models.plugins import build_attention
        >>> type(build_attention(dict(type='mmseam.SEAM', depth=2), in_channels=64)).__name__
        'SEAM'
        >>> type(build_attention(dict(type='CBAM'), in_channels=64)).__name__  # of MMYOLO
        'CBAM'
    """
    with MODELS.switch_scope_and_registry('mmseam') as registry:
        return registry.build(dict(cfg, in_channels=in_channels))
