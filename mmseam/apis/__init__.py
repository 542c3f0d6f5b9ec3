"""Public Python API."""
from mmseam.inference.detector import Detector, load_detector
from mmseam.inference.results import DetectionResult
from mmseam.inference.sources import open_source

__all__ = ['DetectionResult', 'Detector', 'load_detector', 'open_source']
