"""Losses and weightings."""
from .nwd_iou_loss import NWDIoULoss, normalized_wasserstein_distance
from .repulsion_loss import RepulsionLoss, smooth_ln
from .slide_weight import SlideWeight

__all__ = ['NWDIoULoss', 'RepulsionLoss', 'SlideWeight', 'normalized_wasserstein_distance', 'smooth_ln']
