"""Layers: the occlusion attention and the blocks of YOLO11."""
from .attention import build_attention
from .c2psa import C2PSA
from .c3k2 import C3k2
from .gated_predictor import GatedPredictor
from .initialization import reset_parameters_of_children
from .pointwise_conv import PointwiseConv
from .scaled_predictor import ScaledPredictor
from .seam import SEAM, MultiSEAM
from .side_by_side import can_join, side_by_side

__all__ = [
    'SEAM', 'C2PSA', 'C3k2', 'GatedPredictor', 'MultiSEAM', 'PointwiseConv', 'ScaledPredictor', 'build_attention',
    'can_join', 'reset_parameters_of_children', 'side_by_side'
]
