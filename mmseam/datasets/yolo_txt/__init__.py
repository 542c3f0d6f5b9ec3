"""Ultralytics' data files (``data.yaml``) and YOLO label files."""
from .data_yaml import YOLODataError, YOLODataFile, read_data_yaml
from .yolo_to_coco import convert_split

__all__ = ['YOLODataError', 'YOLODataFile', 'convert_split', 'read_data_yaml']
