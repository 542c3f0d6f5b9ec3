"""Evaluation protocols in NumPy and SciPy, without PyTorch, MMEngine or MMDetection."""
from .wider_face import (
    DERIVED_SUBSETS,
    STANDARD_SLICES,
    GroundTruthFormatError,
    PairedDifference,
    ResultsFormatError,
    SliceError,
    WIDERFaceGroundTruth,
    WIDERFaceMatches,
    WIDERFaceResult,
    bootstrap_average_precision,
    evaluate_wider_face,
    ground_truth_from_annotations,
    image_key,
    match_detections,
    paired_difference,
    percentile_interval,
    read_detections,
    read_image_names,
    read_official_ground_truth,
    score_subsets,
    select_faces,
)

__all__ = [
    'DERIVED_SUBSETS', 'GroundTruthFormatError', 'PairedDifference', 'ResultsFormatError', 'STANDARD_SLICES',
    'SliceError', 'WIDERFaceGroundTruth', 'WIDERFaceMatches', 'WIDERFaceResult', 'bootstrap_average_precision',
    'evaluate_wider_face', 'ground_truth_from_annotations', 'image_key', 'match_detections', 'paired_difference',
    'percentile_interval', 'read_detections', 'read_image_names', 'read_official_ground_truth', 'score_subsets',
    'select_faces'
]
