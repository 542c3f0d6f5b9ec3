"""Options of ``tools/train.py`` and ``tools/test.py`` that stand for settings of the config."""
import argparse
import os
from pathlib import Path
from typing import Any, Dict, List, Union

from mmseam.datasets.yolo_txt import convert_split, read_data_yaml
from mmseam.utils.config import ConfigError, find_config
from mmseam.utils.config_settings import find_settings

_STRIDE = 32  # of the coarsest feature map


def expand_shorthands(args: argparse.Namespace) -> Dict[str, Any]:
    """Translate ``--data``, ``--imgsz``, ``--epochs``, ``--batch`` and ``--weights``, and print what they set.

    Args:
        args (argparse.Namespace): Options of the tool, with ``config``.

    Returns:
        Dict[str, Any]: Values by the key of the config.

    Raises:
        ConfigError: The config has no such setting, or a value is out of range.
        YOLODataError: The data file or a label file is malformed.
        OSError: A file cannot be read or written.
    """
    known = _settings(find_config(args.config))
    values: Dict[str, Any] = {}
    if getattr(args, 'data', None):
        values.update(_data(args.data, args.config, known))
    if getattr(args, 'imgsz', None) is not None:
        values.update(_image_size(args.imgsz, args.config, known))
    if getattr(args, 'epochs', None) is not None:
        values['max_epochs' if 'max_epochs' in known else 'train_cfg.max_epochs'] = _positive('--epochs', args.epochs)
    if getattr(args, 'batch', None) is not None:
        values['train_dataloader.batch_size'] = _positive('--batch', args.batch)
    if getattr(args, 'weights', None):
        values['load_from'] = args.weights
    if values and os.environ.get('RANK', '0') == '0':
        print('settings from the command line, as a config would write them:')
        print(''.join(f'  {line}\n' for line in _format(values)), end='', flush=True)
    return values


def _settings(config: Path) -> List[str]:
    try:
        return find_settings(config)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ConfigError(f'{config}: {error}') from None


def _data(file: str, config: Union[str, Path], known: List[str]) -> Dict[str, Any]:
    if not Path(file).is_file():
        raise ConfigError(f'--data: there is no file {file}')
    if 'classes' not in known:
        raise ConfigError(f'--data: the dataset of {config} cannot be set; use yolo11_n_fast_1xb16-100e_custom-coco, '
                          'yolo11_n_fast_1xb16-100e_custom-faces, one of their yolo11_n_multiseam_… or a …_coco config')
    data = read_data_yaml(file)
    root = data.root.as_posix()
    values = dict(data_root=f'{root}/', classes=data.names)
    for split in ('train', 'val'):
        path = convert_split(data, split)
        values[f'{split}_ann_file'] = path.name if path.parent == data.root else path.as_posix()
        values[f'{split}_data_prefix'] = ''
    return values


def _image_size(side: int, config: Union[str, Path], known: List[str]) -> Dict[str, Any]:
    if 'img_scale' not in known:
        raise ConfigError(f'--imgsz: {config} has no setting img_scale; set the sizes in its pipelines')
    if side < _STRIDE or side % _STRIDE:
        near = max(round(side / _STRIDE), 1) * _STRIDE
        raise ConfigError(f'--imgsz must be a multiple of {_STRIDE}, such as {near}, not {side}')
    return dict(img_scale=(side, side))


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ConfigError(f'{name} must be at least 1, not {value}')
    return value


def _format(values: Dict[str, Any]) -> List[str]:
    """Format values as the lines of a config."""
    lines = []
    for name, value in values.items():
        first, *keys = name.split('.')
        text = repr(value)
        for key in reversed(keys):
            text = f'dict({key}={text})'
        lines.append(f'{first} = {text}')
    return lines
