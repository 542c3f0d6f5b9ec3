"""Evaluation protocols in NumPy and SciPy; nothing in here imports PyTorch, MMEngine or MMDetection."""
from .wider_face import WIDERFaceResult, evaluate_wider_face, score_subsets
from .wider_face_bootstrap import PairedDifference, bootstrap_average_precision, paired_difference, percentile_interval
from .wider_face_ground_truth import WIDERFaceGroundTruth, image_key, read_official_ground_truth
from .wider_face_io import ground_truth_from_annotations, read_detections, read_image_names
from .wider_face_matching import WIDERFaceMatches, match_detections
from .wider_face_slices import DERIVED_SUBSETS, STANDARD_SLICES, SliceError, select_faces

__all__ = [
    'DERIVED_SUBSETS', 'PairedDifference', 'STANDARD_SLICES', 'SliceError', 'WIDERFaceGroundTruth', 'WIDERFaceMatches',
    'WIDERFaceResult', 'bootstrap_average_precision', 'evaluate_wider_face', 'ground_truth_from_annotations',
    'image_key', 'match_detections', 'paired_difference', 'percentile_interval', 'read_detections', 'read_image_names',
    'read_official_ground_truth', 'score_subsets', 'select_faces'
]
