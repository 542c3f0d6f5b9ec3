"""What runs a detector."""
from abc import ABC, abstractmethod
from typing import Any, Callable, List, NamedTuple, Sequence, Tuple

import numpy as np
import torch

from .preprocessing import ImageBatch, ImagePreparation


class Detections(NamedTuple):
    """What was found in an image.

    Args:
        boxes (np.ndarray): x1, y1, x2, y2 in pixels of the original image, float32 (N, 4).
        scores (np.ndarray): float32 (N,).
        labels (np.ndarray): int64 (N,).
    """
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


class Engine(ABC):
    """A detector that is ready to run.

    Args:
        classes (Sequence[str]): Names of the classes, by label.
        device (torch.device): Where it runs.
        preparation (ImagePreparation): Makes its input.
        cores (int): Processor cores on which several threads at once may call :meth:`parallel_forward`'s function and
            :meth:`select`. Defaults to 1: only one thread may.
    """

    def __init__(self, classes: Sequence[str], device: torch.device, preparation: ImagePreparation,
                 cores: int = 1) -> None:
        self.classes: Tuple[str, ...] = tuple(classes)
        self.device = device
        self.preparation = preparation
        self.cores = cores

    @abstractmethod
    def forward(self, batch: ImageBatch) -> Any:
        """Run the network; returns what :meth:`select` takes."""

    def parallel_forward(self, workers: int) -> Callable[[ImageBatch], Any]:
        """:meth:`forward` for so many threads at once, at most :attr:`cores`, each on its share of the cores."""
        return self.forward

    @abstractmethod
    def select(self, outputs: Any, batch: ImageBatch, score_thr: float) -> List[Detections]:
        """Choose the detections of each image with at least this score, best first."""
