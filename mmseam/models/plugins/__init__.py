"""Attention: layers that map (B, C, H, W) to (B, C, H, W)."""
from .attention import build_attention
from .seam import SEAM, MultiSEAM

__all__ = ['SEAM', 'MultiSEAM', 'build_attention']
