"""Fused forms of layers, used for inference only, and the switch to them."""
from .block_conv import BlockConv
from .paired_branches import PairedBranches
from .pointwise_conv import PointwiseConv
from .predictors import GatedPredictor, ScaledPredictor
from .side_by_side import can_join, side_by_side
from .switch_to_deploy import switch_to_deploy

__all__ = [
    'BlockConv', 'GatedPredictor', 'PairedBranches', 'PointwiseConv', 'ScaledPredictor', 'can_join', 'side_by_side',
    'switch_to_deploy'
]
