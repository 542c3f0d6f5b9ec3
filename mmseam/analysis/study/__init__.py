"""Studies: train variants of a detector with several seeds, evaluate them alike and compare them with intervals."""
from .study_description import EvaluationSet, Study, Variant
from .study_file import StudyFileError, read_study

__all__ = ['EvaluationSet', 'Study', 'StudyFileError', 'Variant', 'read_study']
