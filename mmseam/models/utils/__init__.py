"""What several models share."""
from .detections import filter_detections, select_detections, suppress_overlaps

__all__ = ['filter_detections', 'select_detections', 'suppress_overlaps']
