"""Evaluation protocols in NumPy and SciPy, without PyTorch, MMEngine or MMDetection."""
from .wider_face import *  # noqa: F403  (the list of public names is that of wider_face)
from .wider_face import __all__ as __all__
