"""Metrics."""
from .coco_metric import CocoMetric
from .wider_face_metric import WIDERFaceMetric

__all__ = ['CocoMetric', 'WIDERFaceMetric']
