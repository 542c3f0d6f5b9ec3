from .collate import yolo_collate
from .transforms import LoadIntactImage
from .wider_face import WIDERFaceDataset
from .wider_face_annotations import (
    WIDER_FACE_ATTRIBUTES,
    WIDERFaceAnnotations,
    WIDERFaceFormatError,
    read_wider_face_annotations,
)
from .wider_face_coco import wider_face_to_coco
from .wider_face_index import WIDERFaceIndex, load_wider_face_index

__all__ = [
    'LoadIntactImage', 'WIDERFaceAnnotations', 'WIDERFaceDataset', 'WIDERFaceFormatError', 'WIDERFaceIndex',
    'WIDER_FACE_ATTRIBUTES', 'load_wider_face_index', 'read_wider_face_annotations', 'wider_face_to_coco',
    'yolo_collate'
]
