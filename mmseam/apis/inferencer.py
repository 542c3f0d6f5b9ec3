"""mmdet's inferencer, for configs of mmseam."""
from typing import Optional

from mmcv.transforms import LoadImageFromFile
from mmdet.apis import DetInferencer
from mmengine.config import ConfigDict
from torch import nn

from mmseam.registry import INFERENCERS, TRANSFORMS
from mmseam.utils.checkpoint_match import require_match


@INFERENCERS.register_module()
class CheckedDetInferencer(DetInferencer):
    """:class:`mmdet.apis.DetInferencer` that refuses checkpoints of another architecture.

    It also knows image-loading transforms that are subclasses of mmcv's, such as
    :class:`~mmseam.datasets.LoadIntactImage`. The arguments are mmdet's.
    """

    def _load_weights_to_model(self, model: nn.Module, checkpoint: Optional[dict], cfg: Optional[ConfigDict]) -> None:
        if checkpoint is not None:
            require_match(model, checkpoint)
        super()._load_weights_to_model(model, checkpoint, cfg)

    def _get_transform_idx(self, pipeline_cfg: ConfigDict, name: tuple) -> int:
        for index, transform in enumerate(pipeline_cfg):
            kind = transform['type']
            kind = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
            if isinstance(kind, type) and issubclass(kind, LoadImageFromFile):
                return index
        return super()._get_transform_idx(pipeline_cfg, name)
