"""Runs an exported detector."""
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Union

import numpy as np
import torch
from mmyolo.datasets.transforms import LetterResize, YOLOv5KeepRatioResize

from .backends import Backend, load_backend
from .metadata import ModelMetadata
from .preprocessing import ImageBatch, ImagePreparation, Normalization, boxes_in_original
from .runtime import Detections, Engine


class ExportedEngine(Engine):
    """A file that ``tools/deployment/export.py`` has written.

    Args:
        path (str or Path): ``.onnx``, ``.torchscript``, ``.pt2`` or ``.xml`` (OpenVINO).
        device (str, optional): Where to run it. Defaults to None, the CPU.
        rect (bool): See :class:`ImagePreparation`; models of a fixed size always take it. Defaults to True.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: The library that runs such files is missing.
        ExportedModelError: The file is damaged or was not exported by mmseam.
    """

    def __init__(self, path: Union[str, Path], device: Optional[str] = None, rect: bool = True) -> None:
        self.backend = load_backend(path, device)
        metadata = self.backend.metadata
        normalization = Normalization(metadata.mean, metadata.std, metadata.to_rgb)
        super().__init__(
            metadata.classes, torch.device(device or 'cpu'),
            ImagePreparation(_transforms(metadata), normalization, max(metadata.strides), rect and metadata.dynamic),
            self.backend.cores)
        self._parallel: Dict[int, Backend] = {}

    def forward(self, batch: ImageBatch) -> Any:
        """Run the network, and NMS where the file holds it."""
        return _run(self.backend, batch)

    def parallel_forward(self, workers: int) -> Callable[[ImageBatch], Any]:
        """:meth:`forward` for so many threads at once, each on its share of the cores.

        A session has its number of threads for good, so the file is loaded a second time when this is first called.
        """
        threads = max(self.cores // workers, 1)
        if threads not in self._parallel:
            self._parallel[threads] = load_backend(self.backend.path, self.backend.device, threads)
        return partial(_run, self._parallel[threads])

    def select(self, outputs: Any, batch: ImageBatch, score_thr: float) -> List[Detections]:
        """Choose the detections of each image with at least this score, best first."""
        metadata = self.backend.metadata
        rows = outputs if metadata.has_nms else self.backend.select(
            *outputs, dict(metadata.test_cfg, score_thr=score_thr))
        return [_detections(found[found[:, 4] >= score_thr], meta) for found, meta in zip(rows, batch.metas)]


def _run(backend: Backend, batch: ImageBatch) -> Any:
    return (backend.detect if backend.metadata.has_nms else backend)(batch.inputs)


def _transforms(metadata: ModelMetadata) -> list:
    """The resizing of the shipped test pipelines."""
    scale = metadata.input_size[::-1]
    # Enlarges too; the letterbox then only pads.
    resize = [YOLOv5KeepRatioResize(scale)] if metadata.allow_scale_up else []
    # Of a bare float, mmcv would color the first channel only.
    color = (metadata.pad_value, ) * 3
    return [*resize, LetterResize(scale, pad_val=dict(img=color), allow_scale_up=False)]


def _detections(rows: np.ndarray, meta: dict) -> Detections:
    return Detections(boxes_in_original(rows[:, :4], meta), rows[:, 4], rows[:, 5].astype(np.int64))
