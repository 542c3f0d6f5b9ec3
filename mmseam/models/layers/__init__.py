"""Layers: the occlusion attention and the blocks of YOLO11."""
from .attention import build_attention
from .c2psa import C2PSA
from .c3k2 import C3k2
from .gated_predictor import GatedPredictor
from .initialization import reset_parameters_of_children
from .seam import SEAM, MultiSEAM

__all__ = [
    'SEAM', 'C2PSA', 'C3k2', 'GatedPredictor', 'MultiSEAM', 'build_attention', 'reset_parameters_of_children'
]
