"""Common base of the backends that run exported files."""
from abc import abstractmethod
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Union

import numpy as np
import torch
from mmyolo.datasets.transforms import LetterResize, YOLOv5KeepRatioResize

from mmseam.models.utils import select_detections

from ..metadata import ModelMetadata
from ..preprocessing import ImageBatch, ImagePreprocessor, Normalization, boxes_in_original
from .base import Backend, Detections

Outputs = Tuple[np.ndarray, np.ndarray]


class ExportedModelError(ValueError):
    """The exported file cannot be used, or not with these inputs."""


class ExportedBackend(Backend):
    """Backend of an exported file.

    Args:
        path (str or Path): The exported file.
        device (str or torch.device, optional): Device to run on: 'cpu', 'cuda' or 'cuda:1'. Defaults to None: the CPU.
        num_threads (int, optional): Number of CPU threads per run. Defaults to None: chosen by the backend.
        rect (bool): See :class:`ImagePreprocessor`; ignored by models with a fixed size. Defaults to True.

    Attributes:
        metadata (ModelMetadata): Metadata stored in the file.

    Raises:
        ImportError: The library for this format is not installed.
        ExportedModelError: The library cannot load the file, or the file lacks mmseam's metadata.
    """

    cores = 1
    library = ''  # package that runs the format

    def __init__(self, path: Union[str, Path], device: Any = None, num_threads: Optional[int] = None,
                 rect: bool = True) -> None:
        self.path = Path(path)
        self.device = torch.device(device or 'cpu')
        self.num_threads = num_threads
        self.rect = rect
        self.metadata = self._metadata(self._load())
        super().__init__(self.metadata.classes, self.device, _preprocessor(self.metadata, rect), self.cores)
        self._parallel: Dict[int, ExportedBackend] = {}

    def forward(self, batch: ImageBatch) -> Any:
        """Run the network, and NMS if the file includes it; pass the result to :meth:`select`."""
        return self.detect(batch.inputs) if self.metadata.has_nms else self(batch.inputs)

    def parallel_forward(self, workers: int) -> Callable[[ImageBatch], Any]:
        """Return a :meth:`forward` for this number of concurrent threads, each on its share of the cores.

        The number of threads of a session is fixed, so the first call loads the file again.
        """
        threads = max(self.cores // workers, 1)
        if threads not in self._parallel:
            self._parallel[threads] = type(self)(self.path, self.device, threads, self.rect)
        return self._parallel[threads].forward

    def select(self, outputs: Any, batch: ImageBatch, score_thr: float) -> List[Detections]:
        """Select the detections of each image with at least this score, best first."""
        rows = outputs
        if not self.metadata.has_nms:
            boxes, scores = outputs
            rows = self.select_rows(boxes, scores, dict(self.metadata.test_cfg, score_thr=score_thr))
        return [_detections(found[found[:, 4] >= score_thr], meta) for found, meta in zip(rows, batch.metas)]

    def __call__(self, images: np.ndarray) -> Outputs:
        """Run the network without selecting detections.

        Args:
            images (np.ndarray): float32 (B, 3, H, W) in the model's channel order, normalized by its mean and std.
                A static model has batch size 1 and is run once per image.

        Returns:
            tuple: Boxes x1, y1, x2, y2 in pixels of the input, float32 (B, N, 4), and scores in [0, 1], float32
            (B, N, num_classes).

        Raises:
            ExportedModelError: The image size does not fit the model, or the model includes NMS.
        """
        if self.metadata.has_nms:
            raise ExportedModelError(f'{self.path} includes NMS and returns final detections only: use detect()')
        boxes, scores = zip(*map(self._checked_run, self._batches(images)))
        return (boxes[0], scores[0]) if len(boxes) == 1 else (np.concatenate(boxes), np.concatenate(scores))

    def detect(self, images: np.ndarray, test_cfg: Optional[Mapping[str, Any]] = None) -> List[np.ndarray]:
        """Detect objects.

        Args:
            images (np.ndarray): See :meth:`__call__`.
            test_cfg (Mapping[str, Any], optional): MMYOLO's postprocessing settings (``score_thr``, ``nms``,
                ``nms_pre``, ``max_per_img``, ``multi_label``). Defaults to None: those in the file.

        Returns:
            list[np.ndarray]: For each image float32 (K, 6): x1, y1, x2, y2 in pixels of the input, score, label; sorted
            by descending score.

        Raises:
            ExportedModelError: The image size does not fit the model, or the model includes NMS with settings other
                than ``test_cfg``.
        """
        if not self.metadata.has_nms:
            return self.select_rows(*self(images), test_cfg)
        if test_cfg is not None and test_cfg != self.metadata.test_cfg:
            raise ExportedModelError(f'{self.path} includes NMS with the settings {self.metadata.test_cfg}, which '
                                     'cannot be changed; export the model without NMS')
        found = []
        for batch in self._batches(images):
            detections, image_ids = self._checked_run(batch)
            found += [detections[image_ids == index] for index in range(len(batch))]
        return found

    def select_rows(self, boxes: np.ndarray, scores: np.ndarray,
                    test_cfg: Optional[Mapping[str, Any]] = None) -> List[np.ndarray]:
        """Select the detections from the network's outputs.

        Args:
            boxes (np.ndarray): (B, N, 4).
            scores (np.ndarray): (B, N, num_classes).
            test_cfg (Mapping[str, Any], optional): See :meth:`detect`.

        Returns:
            list[np.ndarray]: See :meth:`detect`.
        """
        test_cfg = self.metadata.test_cfg if test_cfg is None else test_cfg
        # Passes a few hundred of many thousand rows to PyTorch, whose threads would compete with the library's.
        passing = scores.max(2) > test_cfg.get('score_thr', -1)
        found = [select_detections(torch.from_numpy(image_boxes[kept]), torch.from_numpy(image_scores[kept]), test_cfg)
                 for image_boxes, image_scores, kept in zip(boxes, scores, passing)]
        return [torch.column_stack([image.bboxes, image.scores, image.labels]).numpy() for image in found]

    @abstractmethod
    def _load(self) -> Mapping[str, str]:
        """Open the file with the library and return its metadata strings."""

    @abstractmethod
    def _run(self, images: np.ndarray) -> Outputs:
        """Run the model once and return its two outputs."""

    def _checked_run(self, images: np.ndarray) -> Outputs:
        try:
            first, second = self._run(images)
        except Exception as error:  # each library raises its own errors
            raise ExportedModelError(f'{self.path}: {self.library} cannot run it ({type(error).__name__}: {error})'
                                     ) from error
        is_right = self._are_detections if self.metadata.has_nms else self._are_boxes_and_scores
        if not is_right(first, second, len(images)):
            raise ExportedModelError(f'{self.path}: the outputs do not match the metadata: they are '
                                     f'{first.dtype} {first.shape} and {second.dtype} {second.shape}, or contain '
                                     f'values that are invalid for {len(self.metadata.classes)} classes')
        return first, second

    def _are_boxes_and_scores(self, boxes: np.ndarray, scores: np.ndarray, count: int) -> bool:
        return (boxes.dtype == scores.dtype == np.float32 and boxes.ndim == 3
                and boxes.shape == (count, boxes.shape[1], 4)
                and scores.shape == (count, boxes.shape[1], len(self.metadata.classes))
                and bool(np.isfinite(boxes).all() and np.isfinite(scores).all()))

    def _are_detections(self, detections: np.ndarray, image_ids: np.ndarray, count: int) -> bool:
        return (detections.dtype == np.float32 and image_ids.dtype.kind == 'i'
                and detections.shape == (len(image_ids), 6) and image_ids.ndim == 1
                and bool(np.isfinite(detections).all())
                and bool(np.isin(detections[:, 5], np.arange(len(self.metadata.classes))).all()))

    def _metadata(self, strings: Mapping[str, str]) -> ModelMetadata:
        try:
            return ModelMetadata.from_strings(strings)
        except ValueError as error:
            raise ExportedModelError(f'{self.path}: {error}') from None

    def _batches(self, images: np.ndarray) -> Iterator[np.ndarray]:
        """Split the images into batches of the size that the model supports."""
        self._check(images)
        if self.metadata.dynamic or len(images) == 1:
            yield images
        else:
            yield from (images[index:index + 1] for index in range(len(images)))

    def _check(self, images: np.ndarray) -> None:
        if images.dtype != np.float32 or images.ndim != 4 or images.shape[1] != 3 or not len(images):
            raise ExportedModelError(f'{self.path} takes float32 images (B, 3, H, W), normalized; got {images.dtype} '
                                     f'{images.shape}')
        size, wanted, stride = images.shape[2:], tuple(self.metadata.input_size), max(self.metadata.strides)
        if not self.metadata.dynamic and size != wanted:
            raise ExportedModelError(f'{self.path} takes images {wanted[0]} pixels high and {wanted[1]} wide, got '
                                     f'{size[0]} and {size[1]}; letterbox them to that size, or export a dynamic model')
        if size[0] % stride or size[1] % stride:
            raise ExportedModelError(f'{self.path} takes images whose sides are multiples of {stride} pixels, got '
                                     f'{size[0]} high and {size[1]} wide; pad them')


def _preprocessor(metadata: ModelMetadata, rect: bool) -> ImagePreprocessor:
    """Create the preprocessor described by the metadata."""
    normalization = Normalization(metadata.mean, metadata.std, metadata.to_rgb)
    return ImagePreprocessor(_transforms(metadata), normalization, max(metadata.strides), rect and metadata.dynamic)


def _transforms(metadata: ModelMetadata) -> list:
    """Create the resizing transforms of the shipped test pipelines."""
    scale = metadata.input_size[::-1]
    # This also enlarges; the letterbox then only pads
    resize = [YOLOv5KeepRatioResize(scale)] if metadata.allow_scale_up else []
    # With a single float, mmcv would fill the first channel only
    color = (metadata.pad_value, ) * 3
    return [*resize, LetterResize(scale, pad_val=dict(img=color), allow_scale_up=False)]


def _detections(rows: np.ndarray, meta: dict) -> Detections:
    return Detections(boxes_in_original(rows[:, :4], meta), rows[:, 4], rows[:, 5].astype(np.int64))
