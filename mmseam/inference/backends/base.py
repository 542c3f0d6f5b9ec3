"""Interface of the backends, which run a trained detector on batches of images."""
from abc import ABC, abstractmethod
from typing import Any, Callable, List, NamedTuple, Sequence, Tuple

import numpy as np
import torch

from ..preprocessing import ImageBatch, ImagePreprocessor


class Detections(NamedTuple):
    """Detections of one image.

    Args:
        boxes (np.ndarray): x1, y1, x2, y2 in pixels of the original image, float32 (N, 4).
        scores (np.ndarray): float32 (N,).
        labels (np.ndarray): int64 (N,).
    """
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


class Backend(ABC):
    """Base class of the backends.

    Args:
        classes (Sequence[str]): Names of the classes, by label.
        device (torch.device): Device of the network.
        preprocessor (ImagePreprocessor): Converts images to the network input.
        cores (int): Processor cores that concurrent calls of :meth:`parallel_forward`'s function and :meth:`select`
            may use. Defaults to 1: the backend is not thread-safe.
    """

    def __init__(self, classes: Sequence[str], device: torch.device, preprocessor: ImagePreprocessor,
                 cores: int = 1) -> None:
        self.classes: Tuple[str, ...] = tuple(classes)
        self.device = device
        self.preprocessor = preprocessor
        self.cores = cores

    @abstractmethod
    def forward(self, batch: ImageBatch) -> Any:
        """Run the network; pass the result to :meth:`select`."""

    def parallel_forward(self, workers: int) -> Callable[[ImageBatch], Any]:
        """Return a :meth:`forward` for concurrent threads, at most :attr:`cores`, each on its share of the cores."""
        return self.forward

    @abstractmethod
    def select(self, outputs: Any, batch: ImageBatch, score_thr: float) -> List[Detections]:
        """Select the detections of each image with at least this score, best first."""
