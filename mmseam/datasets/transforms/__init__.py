"""Transforms that load, mix and pack training images."""
from .loading import LoadIntactImage
from .mosaic_affine import MosaicAffine
from .packing import PackPlanarInputs
from .polygons import CopyPasteOutlines, LoadPolygonsOrBoxes, RandomAffineOutlines
from .random_occlusion import RandomOcclusion

__all__ = [
    'CopyPasteOutlines', 'LoadIntactImage', 'LoadPolygonsOrBoxes', 'MosaicAffine', 'PackPlanarInputs',
    'RandomAffineOutlines', 'RandomOcclusion'
]
