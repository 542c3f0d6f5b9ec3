from .exported_detector import ExportedDetector

__all__ = ['ExportedDetector']
