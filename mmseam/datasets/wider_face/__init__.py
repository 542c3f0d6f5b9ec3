"""WIDER FACE: dataset, annotation files, index cache, checks, and conversion from and to COCO JSON."""
from .annotations import WIDER_FACE_ATTRIBUTES, WIDERFaceAnnotations, WIDERFaceFormatError, read_wider_face_annotations
from .dataset import WIDERFaceDataset
from .index import WIDERFaceIndex, load_wider_face_index
from .to_coco import wider_face_to_coco

__all__ = [
    'WIDERFaceAnnotations', 'WIDERFaceDataset', 'WIDERFaceFormatError', 'WIDERFaceIndex', 'WIDER_FACE_ATTRIBUTES',
    'load_wider_face_index', 'read_wider_face_annotations', 'wider_face_to_coco'
]
