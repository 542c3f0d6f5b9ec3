"""The occlusion benchmark: how much a detector still finds when a controlled fraction of every box is covered."""
from mmseam.datasets.occlusion import KINDS, load_samples

from .curves import FRACTIONS, Condition, occlusion_curves

__all__ = ['Condition', 'FRACTIONS', 'KINDS', 'load_samples', 'occlusion_curves']
