"""Fused forms of layers, used for inference only, and the switch to them."""
from .block_conv import BlockConv
from .join_modules import can_join, join_modules
from .paired_branches import PairedBranches
from .pointwise_conv import PointwiseConv
from .predictors import GatedPredictor, ScaledPredictor
from .switch_to_deploy import switch_to_deploy

__all__ = [
    'BlockConv', 'GatedPredictor', 'PairedBranches', 'PointwiseConv', 'ScaledPredictor', 'can_join', 'join_modules',
    'switch_to_deploy'
]
