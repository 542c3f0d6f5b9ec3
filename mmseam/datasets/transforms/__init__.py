"""Loading, mosaic and packing of training images."""
from .loading import LoadIntactImage
from .mosaic_affine import MosaicAffine
from .packing import PackPlanarInputs

__all__ = ['LoadIntactImage', 'MosaicAffine', 'PackPlanarInputs']
