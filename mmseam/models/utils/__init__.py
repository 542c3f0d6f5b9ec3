"""What several models share."""
from .detections import filter_detections, select_detections, suppress_overlaps
from .original_image import clip_to_image, to_original_scale

__all__ = ['clip_to_image', 'filter_detections', 'select_detections', 'suppress_overlaps', 'to_original_scale']
