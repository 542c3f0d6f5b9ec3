"""Check a config for contradictions before anything is built."""
from typing import Iterator, List, Optional, Tuple

from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

from mmseam.datasets.contents import class_names
from mmseam.datasets.wrappers import dataset_configs
from mmseam.utils.config import ConfigError
from mmseam.utils.test_cfg import check_test_cfg

from .config_arguments import check_arguments
from .layer_widths import check_widths

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# Smallest values; PyTorch and MMEngine would answer others after the log, or never
_LEAST = {'train_cfg.max_epochs': 1, 'train_cfg.max_iters': 1, 'train_cfg.val_interval': 1,
          **{f'{loader}.batch_size': 1 for loader in _LOADERS}, **{f'{loader}.num_workers': 0 for loader in _LOADERS}}


def check_config(cfg: Config) -> None:
    """Check types, arguments and postprocessing settings, and that the class counts and channel widths agree.

    Widths are checked for YOLO11 detectors only.

    Args:
        cfg (Config): The config.

    Raises:
        ConfigError: Two settings disagree; the message names both keys, their values and the fix.
    """
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmyolo')):
        _raise_first([*_check_numbers(cfg), *_check_image_size(cfg), *_check_test_cfg(cfg.get('model', {})),
                      *check_arguments(cfg)])
        problems = [*_check_classes(cfg), *check_widths(cfg.get('model', {}))]
    if problems:
        raise ConfigError('the config contradicts itself:' + ''.join(f'\n- {problem}' for problem in problems))


def _raise_first(problems: List[str]) -> None:
    if problems:
        more = f' (and {len(problems) - 1} more of this kind)' if problems[1:] else ''
        raise ConfigError(problems[0] + more)


def _check_numbers(cfg: Config) -> Iterator[str]:
    for key, least in _LEAST.items():
        section, name = key.split('.')
        value = (cfg.get(section) or {}).get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            yield f'{key} must be a whole number of at least {least}, not {value!r}'


def _check_image_size(cfg: Config) -> Iterator[str]:
    """Check the setting ``img_scale`` of YOLO11: the maps of its neck fit together for multiples of the stride only."""
    head = cfg.get('model', {}).get('bbox_head') or {}
    strides, size = (head.get('head_module') or {}).get('featmap_strides'), cfg.get('img_scale')
    if not strides or not isinstance(size, (list, tuple)) or not _is_yolo11(head):
        return
    stride = max(strides)
    if any(not isinstance(side, int) or side < stride or side % stride for side in size):
        near = tuple(max(round(side / stride), 1) * stride for side in size)
        yield f'img_scale must be multiples of {stride} such as {near}, not {tuple(size)}'


def _is_yolo11(head: ConfigDict) -> bool:
    return str(head.get('type')).endswith('YOLO11Head')


def _check_test_cfg(model: ConfigDict) -> Iterator[str]:
    """Check the postprocessing settings of YOLO11's head; other heads may have other settings."""
    if _is_yolo11(model.get('bbox_head') or {}) and model.get('test_cfg') is not None:
        try:
            check_test_cfg(model.test_cfg)
        except ValueError as error:
            yield f'model.{error}'


def _check_classes(cfg: Config) -> Iterator[str]:
    head = _head_classes(cfg.get('model', {}))
    if head is None:
        return
    key, number = head
    assigner = (cfg.model.get('train_cfg') or {}).get('assigner', {}).get('num_classes', number)
    if assigner != number:
        yield (f'{key} is {number}, but model.train_cfg.assigner.num_classes is {assigner}; set both to the number '
               'of classes')
    for loader in _LOADERS:
        for name, dataset in dataset_configs(f'{loader}.dataset', (cfg.get(loader) or {}).get('dataset')):
            yield from _check_dataset(name, dataset, key, number)


def _check_dataset(name: str, dataset: ConfigDict, key: str, number: int) -> Iterator[str]:
    classes = class_names(dataset)
    if isinstance(classes, str):
        yield (f'{name}.metainfo.classes is the string {classes!r}, not a tuple of names; for a single class write '
               f'({classes!r}, ), with the comma')
    elif classes is not None and len(classes) != number:
        shown = ', '.join(map(str, classes[:3])) + (', …' if len(classes) > 3 else '')
        yield (f'{key} is {number}, but {name} ({dataset.type}) has {len(classes)} classes ({shown}); set {key} and '
               f'model.train_cfg.assigner.num_classes to {len(classes)}, or {name}.metainfo.classes to your {number}')


def _head_classes(model: ConfigDict) -> Optional[Tuple[str, int]]:
    """Return key and value of ``num_classes`` of a one-stage or two-stage detector."""
    for path in ('bbox_head.head_module', 'bbox_head', 'roi_head.bbox_head'):
        part = model
        for name in path.split('.'):
            part = part.get(name) if isinstance(part, dict) else None
        if isinstance(part, dict) and isinstance(part.get('num_classes'), int):
            return f'model.{path}.num_classes', part['num_classes']
    return None
