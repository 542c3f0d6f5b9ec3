"""Attention and other layers that map (B, C, H, W) to (B, C, H, W)."""
from .attention import build_attention
from .channel_attention import ECA, SE
from .rfe import RFE
from .seam import SEAM, MultiSEAM

__all__ = ['ECA', 'RFE', 'SE', 'SEAM', 'MultiSEAM', 'build_attention']
