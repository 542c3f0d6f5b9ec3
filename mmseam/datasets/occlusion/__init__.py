"""Controlled occlusion: cover a fraction of annotated boxes, for training and for measuring."""
from ..transforms.box_occluders import (
    CoveredImage,
    Occluder,
    check_request,
    clip_box,
    cover_boxes,
    make_occluder,
    measure_coverage,
    paint,
)
from ..transforms.occluder_shapes import KINDS, NO_DONORS, Donors
from .donors import DonorPool, image_generator
from .samples import BoxSample, default_image_folder, load_samples

__all__ = [
    'BoxSample', 'CoveredImage', 'DonorPool', 'Donors', 'KINDS', 'NO_DONORS', 'Occluder', 'check_request', 'clip_box',
    'cover_boxes', 'default_image_folder', 'image_generator', 'load_samples', 'make_occluder', 'measure_coverage',
    'paint'
]
