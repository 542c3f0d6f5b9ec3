"""The config that MMEngine stores in a checkpoint, for inference with the checkpoint alone.

A checkpoint may come from a stranger. Its config is read as data, only model and test pipeline are kept, and the types
that they name must be layers, detectors and transforms of the host packages: MMEngine would import and call whatever a
``type`` names, ``os.system`` too, and mmcv would evaluate an unknown NMS type.
"""
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Tuple, Union

from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import CheckpointLoader

from mmseam.registry import MODELS, TASK_UTILS, TRANSFORMS
from mmseam.utils.checkpoint_match import check_checkpoint_file
from mmseam.utils.config import ConfigError
from mmseam.utils.config_text import ConfigTextError, parse_config_text

_SCOPES = ('mmseam', 'mmyolo', 'mmdet', 'mmcv', 'mmengine')
_HOSTS = ('mmseam.', 'mmyolo.', 'mmdet.', 'mmcv.', 'mmengine.', 'torch.')
# Where allowed classes of the hosts are defined. Others load files, configs or models that their arguments name, or
# evaluate an argument (CameraMotionCompensation)
_ALLOWED = (
    'mmseam.models.', 'mmseam.datasets.transforms.', 'mmyolo.models.', 'mmyolo.datasets.transforms.',
    'mmcv.cnn.bricks.', 'mmcv.transforms.', 'mmengine.model.', 'torch.nn.', 'mmdet.datasets.transforms.formatting.',
    'mmdet.datasets.transforms.loading.', 'mmdet.datasets.transforms.transforms.', 'mmdet.models.backbones.',
    'mmdet.models.data_preprocessors.', 'mmdet.models.dense_heads.', 'mmdet.models.detectors.', 'mmdet.models.layers.',
    'mmdet.models.losses.', 'mmdet.models.necks.', 'mmdet.models.roi_heads.', 'mmdet.models.task_modules.assigners.',
    'mmdet.models.task_modules.coders.', 'mmdet.models.task_modules.prior_generators.',
    'mmdet.models.task_modules.samplers.')
_REFUSED = tuple(f'mmdet.models.{name}.' for name in (
    'dense_heads.atss_vlfusion_head', 'detectors.d2_wrapper', 'detectors.glip', 'detectors.grounding_dino',
    'detectors.kd_one_stage', 'detectors.lad'))
_REFUSED_NAMES = ('Albu', )  # it builds whatever albumentations has under a name
_NMS = ('nms', 'soft_nms')


def load_stored_config(checkpoint: Union[str, Path]) -> Config:
    """Read the config that is stored in a checkpoint of MMEngine, without executing anything of it.

    Args:
        checkpoint (str or Path): Checkpoint file or URL.

    Returns:
        Config: ``model``, ``default_scope``, and ``test_dataloader`` with ``metainfo`` and pipeline of the dataset.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        CheckpointFileError: The checkpoint is damaged or requires running code.
        CheckpointMismatchError: It is a checkpoint of Ultralytics.
        ConfigError: It stores no config, or one that a training would not write.
    """
    check_checkpoint_file(checkpoint)
    loaded = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu')
    text = (loaded.get('meta') or {}).get('cfg') if isinstance(loaded, dict) else None
    if not isinstance(text, str):
        raise ConfigError(f'{checkpoint} stores no config (converted weights do not): give the config first, then the '
                          'checkpoint')
    try:
        values = parse_config_text(text)
    except ConfigTextError as error:
        raise ConfigError(f'the config in {checkpoint}: {error}') from error
    kept = _keep(values, checkpoint)
    _check_types(kept, checkpoint)
    return Config(kept, cfg_text=' ', filename=str(checkpoint))


def _keep(values: Mapping[str, Any], checkpoint: Union[str, Path]) -> Dict[str, Any]:
    """Return the parts of the config that are needed for inference."""
    model, dataset = values.get('model'), values.get('test_dataloader')
    while isinstance(dataset, dict) and 'dataset' in dataset:
        dataset = dataset['dataset']
    if not isinstance(model, dict) or not isinstance(dataset, dict) or not isinstance(dataset.get('pipeline'), list):
        raise ConfigError(f'the config in {checkpoint} has no model or no test_dataloader.dataset.pipeline')
    metainfo = dataset.get('metainfo') if isinstance(dataset.get('metainfo'), dict) else {}
    return dict(
        model=_without_initialization(model),
        default_scope=values.get('default_scope', 'mmyolo'),
        test_dataloader=dict(dataset=dict(metainfo=metainfo, pipeline=dataset['pipeline'])))


def _without_initialization(value: Any) -> Any:
    """Leave out what names weights to start from; the checkpoint has all weights."""
    if isinstance(value, dict):
        return {key: _without_initialization(item) for key, item in value.items()
                if key not in ('init_cfg', 'pretrained')}
    return type(value)(map(_without_initialization, value)) if isinstance(value, (list, tuple)) else value


def _check_types(values: Mapping[str, Any], checkpoint: Union[str, Path]) -> None:
    for key, value in _find_types(values):
        if not isinstance(value, str) or not (value in _SCOPES if key != 'type' else _is_allowed(value)):
            raise ConfigError(f'the config in {checkpoint}: {key} {str(value)[:50]!r} is not known as a layer, '
                              'detector or transform; import its module first, or give the config and the checkpoint')


def _find_types(value: Any) -> Iterator[Tuple[str, Any]]:
    """Yield all types and scopes that a config names."""
    if isinstance(value, dict):
        yield from ((key, value[key]) for key in ('type', '_scope_', 'default_scope') if key in value)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from _find_types(item)


def _is_allowed(kind: str) -> bool:
    scope, _, name = kind.rpartition('.')
    if kind in _NMS:
        return True
    modules = [f'{found.__module__}.' for found in _registered(name)]
    return scope in ('', *_SCOPES) and name not in _REFUSED_NAMES and bool(modules) and all(
        (module.startswith(_ALLOWED) and not module.startswith(_REFUSED)) or not module.startswith(_HOSTS)
        for module in modules)


def _registered(name: str) -> Iterator[Any]:
    """Yield what the registries have under a name, in any scope."""
    waiting: List[Registry] = [MODELS.root, TASK_UTILS.root, TRANSFORMS.root]
    while waiting:
        registry = waiting.pop()
        if registry.scope in _SCOPES:
            registry.import_from_location()
        waiting += registry.children.values()
        if name in registry.module_dict:
            yield registry.module_dict[name]
