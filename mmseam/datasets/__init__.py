"""Datasets, transforms and converters."""
from .coco import YOLOCocoDataset
from .collate import yolo_collate
from .transforms import LoadIntactImage
from .wider_face import (
    WIDER_FACE_ATTRIBUTES,
    WIDERFaceAnnotations,
    WIDERFaceDataset,
    WIDERFaceFormatError,
    WIDERFaceIndex,
    load_wider_face_index,
    read_wider_face_annotations,
    wider_face_to_coco,
)

__all__ = [
    'LoadIntactImage', 'WIDERFaceAnnotations', 'WIDERFaceDataset', 'WIDERFaceFormatError', 'WIDERFaceIndex',
    'WIDER_FACE_ATTRIBUTES', 'YOLOCocoDataset', 'load_wider_face_index', 'read_wider_face_annotations',
    'wider_face_to_coco', 'yolo_collate'
]
