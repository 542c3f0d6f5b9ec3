"""Building blocks of YOLO11."""
from .c2psa import C2PSA
from .c3k2 import C3k2

__all__ = ['C2PSA', 'C3k2']
