"""Studies: train variants of a detector with several seeds, evaluate them alike and compare them with intervals."""
from .study_file import EvaluationSet, Study, StudyFileError, Variant, read_study

__all__ = ['EvaluationSet', 'Study', 'StudyFileError', 'Variant', 'read_study']
