"""Official WIDER FACE evaluation protocol in NumPy and SciPy."""
from .bootstrap import PairedDifference, bootstrap_average_precision, paired_difference, percentile_interval
from .ground_truth import WIDERFaceGroundTruth, image_key, read_official_ground_truth
from .mat_file import GroundTruthFormatError
from .matching import WIDERFaceMatches, match_detections
from .protocol import WIDERFaceResult, evaluate_wider_face, score_subsets
from .readers import ground_truth_from_annotations, read_detections, read_image_names
from .result_folder import ResultsFormatError
from .slices import DERIVED_SUBSETS, STANDARD_SLICES, SliceError, select_faces

__all__ = [
    'DERIVED_SUBSETS', 'GroundTruthFormatError', 'PairedDifference', 'ResultsFormatError', 'STANDARD_SLICES',
    'SliceError', 'WIDERFaceGroundTruth', 'WIDERFaceMatches', 'WIDERFaceResult', 'bootstrap_average_precision',
    'evaluate_wider_face', 'ground_truth_from_annotations', 'image_key', 'match_detections', 'paired_difference',
    'percentile_interval', 'read_detections', 'read_image_names', 'read_official_ground_truth', 'score_subsets',
    'select_faces'
]
