"""mmdet's inferencer, which loads a detector with its test pipeline."""
from typing import Optional

from mmcv.transforms import LoadImageFromFile
from mmdet.apis import DetInferencer
from mmengine.config import ConfigDict
from torch import nn

from mmseam.registry import DATASETS, TRANSFORMS
from mmseam.utils.checkpoint_match import require_match


class CheckedDetInferencer(DetInferencer):
    """:class:`mmdet.apis.DetInferencer` that refuses checkpoints of another architecture.

    It also knows image-loading transforms that are subclasses of mmcv's, such as
    :class:`~mmseam.datasets.LoadIntactImage`, takes the names of the classes from the config's test set where the
    checkpoint has none, and has no visualizer. The arguments are mmdet's.
    """

    def _load_weights_to_model(self, model: nn.Module, checkpoint: Optional[dict], cfg: Optional[ConfigDict]) -> None:
        require_match(model, checkpoint)
        if 'dataset_meta' not in checkpoint.get('meta', {}):
            dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, lazy_init=True))
            meta = dict(checkpoint.get('meta', {}), dataset_meta=dataset.metainfo)
            checkpoint = dict(checkpoint if 'state_dict' in checkpoint else dict(state_dict=checkpoint), meta=meta)
        super()._load_weights_to_model(model, checkpoint, cfg)

    def _get_transform_idx(self, pipeline_cfg: ConfigDict, name: tuple) -> int:
        for index, transform in enumerate(pipeline_cfg):
            kind = transform['type']
            kind = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
            if isinstance(kind, type) and issubclass(kind, LoadImageFromFile):
                return index
        return super()._get_transform_idx(pipeline_cfg, name)

    def _init_visualizer(self, cfg: ConfigDict) -> None:
        """None: mmdet's is a second to import and slow to draw."""
