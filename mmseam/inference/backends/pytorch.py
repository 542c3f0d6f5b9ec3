"""Run a config and a checkpoint with PyTorch."""
from pathlib import Path
from typing import Any, List, Optional, Union

import numpy as np
import torch
from mmcv.transforms import LoadAnnotations, LoadImageFromFile
from mmdet.datasets.transforms import PackDetInputs
from mmdet.models import DetDataPreprocessor, SingleStageDetector
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import nn

from mmseam.models.dense_heads import YOLO11Head
from mmseam.models.fused import switch_to_deploy
from mmseam.registry import TRANSFORMS
from mmseam.utils.config import ConfigError, innermost_dataset

from ..preprocessing import ImageBatch, ImagePreprocessor, Normalization
from ..trained_detector import load_trained_detector, read_classes
from .base import Backend, Detections

_NOT_FOR_PIXELS = (LoadImageFromFile, LoadAnnotations, PackDetInputs)


class PyTorchBackend(Backend):
    """Backend of a detector of mmseam, mmyolo or mmdet in its fused form.

    Args:
        cfg (Config): The complete config.
        checkpoint (str or Path): File or URL of the weights.
        device (str, optional): ``'cpu'``, ``'cuda:0'``, …. Defaults to None: the best available.
        rect (bool): See :class:`ImagePreprocessor`. Defaults to True.

    Raises:
        CheckpointMismatchError: The checkpoint does not match the config.
        ConfigError: The preprocessing in the config is not supported.
    """

    def __init__(self, cfg: Config, checkpoint: Union[str, Path], device: Optional[str] = None,
                 rect: bool = True) -> None:
        model, meta = load_trained_detector(cfg, checkpoint)
        classes = read_classes(cfg, meta)
        self.model = switch_to_deploy(model.to(device or get_device()))
        self._is_dense = is_dense_detector(self.model)
        strides = getattr(getattr(self.model, 'bbox_head', None), 'featmap_strides', [32])
        preprocessor = ImagePreprocessor(
            _image_transforms(cfg), _normalization(self.model.data_preprocessor), max(strides), rect)
        _try_out(preprocessor, cfg)
        super().__init__(classes, next(self.model.parameters()).device, preprocessor)
        # YOLO11's layers keep no state between calls, so threads can share them; those of other heads may not.
        if self.device.type == 'cpu' and isinstance(getattr(self.model, 'bbox_head', None), YOLO11Head):
            self.cores = torch.get_num_threads()

    @torch.inference_mode()
    def forward(self, batch: ImageBatch) -> Any:
        """Run the network, and postprocessing too if it is not a separate call."""
        inputs = torch.from_numpy(batch.inputs).to(self.device)
        if self._is_dense:
            return self.model.bbox_head(self.model.extract_feat(inputs))
        return self.model.predict(inputs, [DetDataSample(metainfo=meta) for meta in batch.metas], rescale=True)

    @torch.inference_mode()
    def select(self, outputs: Any, batch: ImageBatch, score_thr: float) -> List[Detections]:
        """Select the detections of each image with at least this score, best first."""
        if not self._is_dense:
            return [_detections(sample.pred_instances, score_thr) for sample in outputs]
        head = self.model.bbox_head
        # A box of low score cannot suppress others, so dropping it before NMS gives the same result.
        cfg = ConfigDict(head.test_cfg, score_thr=score_thr)
        found = head.predict_by_feat(*outputs, batch_img_metas=batch.metas, cfg=cfg, rescale=True)
        return [_detections(instances, score_thr) for instances in found]


def is_dense_detector(model: nn.Module) -> bool:
    """Return whether a detector runs its network and its postprocessing in separate calls, as mmdet's dense heads do.

    Args:
        model (nn.Module): The detector.

    Returns:
        bool: True if ``model.predict`` is equal to ``model.bbox_head(model.extract_feat(inputs))`` followed by
        ``model.bbox_head.predict_by_feat``.
    """
    head = getattr(model, 'bbox_head', None)
    return (isinstance(model, SingleStageDetector) and type(model).predict is SingleStageDetector.predict
            and isinstance(head, BaseDenseHead) and type(head).predict is BaseDenseHead.predict)


def _image_transforms(cfg: Config) -> list:
    """Build the steps of the test pipeline between loading and packing."""
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmyolo')):
        steps = [TRANSFORMS.build(step) for step in innermost_dataset(cfg.test_dataloader.dataset).pipeline]
    transforms = [step for step in steps if not isinstance(step, _NOT_FOR_PIXELS)]
    for loader in steps:
        if isinstance(loader, LoadImageFromFile) and loader.color_type != 'color':
            raise ConfigError(f'{cfg.filename}: the test pipeline loads images with color_type={loader.color_type!r}; '
                              "here images are always loaded in color, so only 'color' is supported")
        if isinstance(loader, LoadImageFromFile) and loader.to_float32:
            transforms.insert(0, _to_float32)
    return transforms


def _to_float32(sample: dict) -> dict:
    return dict(sample, img=sample['img'].astype(np.float32))


def _try_out(preprocessor: ImagePreprocessor, cfg: Config) -> None:
    """Run the test pipeline on a black image to detect steps that need more than an image."""
    try:
        preprocessor([np.zeros((96, 128, 3), np.uint8)])
    except Exception as error:
        steps = ', '.join(str(step.type) for step in innermost_dataset(cfg.test_dataloader.dataset).pipeline)
        raise ConfigError(f'{cfg.filename}: the test pipeline ({steps}) cannot be run on an image alone: '
                          f'{type(error).__name__}: {error}') from error


def _normalization(preprocessor: nn.Module) -> Normalization:
    if not isinstance(preprocessor, DetDataPreprocessor):
        raise ConfigError(f'model.data_preprocessor is a {type(preprocessor).__name__}, whose normalization is not '
                          'supported; use DetDataPreprocessor')
    mean, std = [0.] * 3, [1.] * 3
    if preprocessor._enable_normalize:
        mean, std = preprocessor.mean.flatten().tolist(), preprocessor.std.flatten().tolist()
    return Normalization(mean, std, preprocessor._channel_conversion, preprocessor.pad_size_divisor,
                         preprocessor.pad_value)


def _detections(instances: InstanceData, score_thr: float) -> Detections:
    kept = instances.scores >= score_thr
    return Detections(instances.bboxes[kept].float().cpu().numpy(), instances.scores[kept].float().cpu().numpy(),
                      instances.labels[kept].long().cpu().numpy())
