"""Helpers of heads and layers: detection selection, box mapping, initialization."""
from .detections import filter_detections, select_detections, suppress_overlaps
from .initialization import reset_parameters_of_children
from .original_image import clip_to_image, to_original_scale

__all__ = [
    'clip_to_image', 'filter_detections', 'reset_parameters_of_children', 'select_detections', 'suppress_overlaps',
    'to_original_scale'
]
