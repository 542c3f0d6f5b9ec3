"""PyTorch, from a config and a checkpoint."""
from pathlib import Path
from typing import Any, List, Optional, Union

import torch
from mmcv.transforms import LoadAnnotations, LoadImageFromFile
from mmdet.datasets.transforms import PackDetInputs
from mmdet.models import DetDataPreprocessor, SingleStageDetector
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from mmseam.models.dense_heads import YOLO11Head
from mmseam.models.fused import switch_to_deploy
from mmseam.registry import TRANSFORMS
from mmseam.utils.config import innermost_dataset

from ..preprocessing import ImageBatch, ImagePreprocessor, Normalization
from ..trained_detector import load_trained_detector, read_classes
from .base import Backend, Detections

_NOT_FOR_PIXELS = (LoadImageFromFile, LoadAnnotations, PackDetInputs)


class PyTorchBackend(Backend):
    """A detector of mmseam, mmyolo or mmdet in its fused form for inference.

    Args:
        cfg (Config): Its full config.
        checkpoint (str or Path): File or address of the weights.
        device (str, optional): ``'cpu'``, ``'cuda:0'``, …; the best one there is if None. Defaults to None.
        rect (bool): See :class:`ImagePreprocessor`. Defaults to True.

    Raises:
        CheckpointMismatchError: The checkpoint is not one of the config's model.
    """

    def __init__(self, cfg: Config, checkpoint: Union[str, Path], device: Optional[str] = None,
                 rect: bool = True) -> None:
        model, meta = load_trained_detector(cfg, checkpoint)
        classes = read_classes(cfg, meta)
        self.model = switch_to_deploy(model.to(device or get_device()))
        self._splits = isinstance(self.model, SingleStageDetector)
        strides = getattr(getattr(self.model, 'bbox_head', None), 'featmap_strides', [32])
        preprocessor = ImagePreprocessor(
            _image_transforms(cfg), _normalization(self.model.data_preprocessor), max(strides), rect)
        super().__init__(classes, next(self.model.parameters()).device, preprocessor)
        # YOLO11's layers keep no state between calls, so that threads may share them; those of others may keep some.
        if self.device.type == 'cpu' and isinstance(getattr(self.model, 'bbox_head', None), YOLO11Head):
            self.cores = torch.get_num_threads()

    @torch.inference_mode()
    def forward(self, batch: ImageBatch) -> Any:
        """Run the network; of detectors that cannot be split there, the post-processing too."""
        inputs = torch.from_numpy(batch.inputs).to(self.device)
        if self._splits:
            return self.model.bbox_head(self.model.extract_feat(inputs))
        return self.model.predict(inputs, [DetDataSample(metainfo=meta) for meta in batch.metas], rescale=True)

    @torch.inference_mode()
    def select(self, outputs: Any, batch: ImageBatch, score_thr: float) -> List[Detections]:
        """Select the detections of each image with at least this score, best first."""
        if not self._splits:
            return [_detections(sample.pred_instances, score_thr) for sample in outputs]
        head = self.model.bbox_head
        # NMS lets a box of low score change no other, so dropping it before gives the same result.
        cfg = ConfigDict(head.test_cfg, score_thr=score_thr)
        found = head.predict_by_feat(*outputs, batch_img_metas=batch.metas, cfg=cfg, rescale=True)
        return [_detections(instances, score_thr) for instances in found]


def _image_transforms(cfg: Config) -> list:
    """Build the steps of the test pipeline between loading and packing."""
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmyolo')):
        steps = [TRANSFORMS.build(step) for step in innermost_dataset(cfg.test_dataloader.dataset).pipeline]
    return [step for step in steps if not isinstance(step, _NOT_FOR_PIXELS)]


def _normalization(preprocessor: DetDataPreprocessor) -> Normalization:
    mean, std = [0.] * 3, [1.] * 3
    if preprocessor._enable_normalize:
        mean, std = preprocessor.mean.flatten().tolist(), preprocessor.std.flatten().tolist()
    return Normalization(mean, std, preprocessor._channel_conversion, preprocessor.pad_size_divisor,
                         preprocessor.pad_value)


def _detections(instances: InstanceData, score_thr: float) -> Detections:
    kept = instances.scores >= score_thr
    return Detections(instances.bboxes[kept].float().cpu().numpy(), instances.scores[kept].float().cpu().numpy(),
                      instances.labels[kept].long().cpu().numpy())
