from .loading import LoadIntactImage

__all__ = ['LoadIntactImage']
