"""Runs a detector from its config and checkpoint."""
from pathlib import Path
from typing import Any, List, Optional, Union

import torch
from mmcv.transforms import LoadAnnotations, LoadImageFromFile
from mmdet.datasets.transforms import InferencerLoader, PackDetInputs
from mmdet.models import DetDataPreprocessor, SingleStageDetector
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from mmseam.models.dense_heads import YOLO11Head
from mmseam.models.fused import switch_to_deploy

from .inferencer import CheckedDetInferencer
from .preprocessing import ImageBatch, ImagePreparation, Normalization
from .runtime import Detections, Engine

_NOT_FOR_PIXELS = (InferencerLoader, LoadImageFromFile, LoadAnnotations, PackDetInputs)


class PyTorchEngine(Engine):
    """A detector of mmseam, mmyolo or mmdet in the form for inference.

    Args:
        cfg (Config): Its full config; changed in place.
        checkpoint (str or Path): File or address of the weights.
        device (str, optional): ``'cpu'``, ``'cuda:0'``, …; the best one there is if None. Defaults to None.
        rect (bool): See :class:`ImagePreparation`. Defaults to True.

    Raises:
        CheckpointMismatchError: The checkpoint is not one of the config's model.
    """

    def __init__(self, cfg: Config, checkpoint: Union[str, Path], device: Optional[str] = None,
                 rect: bool = True) -> None:
        # The inferencer would make mmseam the default scope of the whole process.
        with DefaultScope.overwrite_default_scope('mmseam'):
            host = CheckedDetInferencer(cfg, str(checkpoint), device, 'mmseam', show_progress=False)
        self.model = switch_to_deploy(host.model)
        self._splits = isinstance(self.model, SingleStageDetector)
        strides = getattr(getattr(self.model, 'bbox_head', None), 'featmap_strides', [32])
        transforms = [step for step in host.pipeline.transforms if not isinstance(step, _NOT_FOR_PIXELS)]
        super().__init__(
            self.model.dataset_meta['classes'], next(self.model.parameters()).device,
            ImagePreparation(transforms, _normalization(self.model.data_preprocessor), max(strides), rect))
        # Its networks keep nothing between calls; those of others may.
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
        """Choose the detections of each image with at least this score, best first."""
        if not self._splits:
            return [_detections(sample.pred_instances, score_thr) for sample in outputs]
        head = self.model.bbox_head
        # Boxes of low score change nothing for the others, so they need not be looked at.
        cfg = ConfigDict(head.test_cfg, score_thr=score_thr)
        found = head.predict_by_feat(*outputs, batch_img_metas=batch.metas, cfg=cfg, rescale=True)
        return [_detections(instances, score_thr) for instances in found]


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
