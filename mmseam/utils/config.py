"""Config handling of the command-line tools: lookup by path or name, overrides, work folder, launcher."""
import argparse
import difflib
import os
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

import torch
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.config.utils import ConfigParsingError
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmyolo.utils import is_metainfo_lower

from .config_keys import KeyProblem, check_child, check_overrides
from .config_settings import SettingError, load_with_settings
from .own_modules import OwnModuleError, add_own_modules, check_own_modules, explain_missing_module
from .resources import resource_folder


class ConfigError(ValueError):
    """Invalid config or command-line override; the message says how to fix it."""


def configs_folder() -> Path:
    """Return the folder of mmseam's configs in the installed package or the checkout."""
    return resource_folder('configs')


def find_config(name: Union[str, Path]) -> Path:
    """Find a config by path, or one of mmseam's configs by file name or model name.

    Args:
        name (str or Path): ``configs/seam/yolo11_n_….py``, ``yolo11_n_….py`` or ``yolo11_n_…``.

    Returns:
        Path: The config file.

    Raises:
        ConfigError: It does not exist; the message lists similar names.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = {file.stem: file for file in configs_folder().glob('[!_]*/*.py')}
    stem = path.name[:-len('.py')] if path.name.endswith('.py') else path.name
    if path.name == str(name) and stem in shipped:
        return shipped[stem]
    near = difflib.get_close_matches(stem, shipped, n=3, cutoff=0.4)
    hint = (f'similar ones are {", ".join(near)}' if near else f"mmseam's own are in {configs_folder()}")
    raise ConfigError(f'there is no config {str(name)!r}; {hint}')


def parse_overrides(pairs: Sequence[str]) -> dict:
    """Parse ``--cfg-options`` like MMEngine, without importing MMEngine in the tools' argument parsers.

    Args:
        pairs (Sequence[str]): Items ``key.of.config=value``.

    Returns:
        dict: Value by dotted key.

    Raises:
        ConfigError: An item has no ``=`` or its brackets do not match.
    """
    for pair in pairs:
        if '=' not in pair:
            raise ConfigError(f'--cfg-options: {pair!r} is not of the form key=value')
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    try:
        return parser.parse_args(['--cfg-options', *pairs]).cfg_options
    except AssertionError as error:
        raise ConfigError(f'--cfg-options: {error}') from None


def load_config(name: Union[str, Path], cfg_options: Optional[Sequence[str]] = None,
                work_dir: Optional[str] = None, settings: Optional[Mapping[str, Any]] = None) -> Config:
    """Load a config and apply the command-line overrides.

    Settings, the numbers and strings at the top of a shipped base, can be changed in a child config or by an override:
    ``img_scale = (320, 320)`` changes all pipelines; see :mod:`mmseam.utils.config_settings`.

    Args:
        name (str or Path): See :func:`find_config`.
        cfg_options (Sequence[str], optional): Items ``key=value``. Defaults to None.
        work_dir (str, optional): Work folder. Defaults to None: that of the config, or ``work_dirs/CONFIG_NAME``.
        settings (Mapping[str, Any], optional): Further overrides by dotted key; ``cfg_options`` win. Defaults to None.

    Returns:
        Config: The config, with ``work_dir``.

    Raises:
        ConfigError: The config does not exist or is invalid, or an override does not fit it.

    Example:
        >>> cfg = load_config('yolo11_n_syncbn_fast_8xb16-500e_coco', ['img_scale=(320, 320)'])
        >>> cfg.test_pipeline[1].scale
        (320, 320)
    """
    path = find_config(name)
    options = {**(settings or {}), **(parse_overrides(cfg_options) if cfg_options else {})}
    cfg, options = _read(path, options)
    try:
        check_overrides(cfg._cfg_dict, options)
        cfg.merge_from_dict(options)
    except KeyProblem as error:
        raise ConfigError(f'--cfg-options: {error}') from None
    except (KeyError, TypeError, IndexError) as error:
        raise ConfigError(f'--cfg-options does not fit {path}: {error}') from error
    is_metainfo_lower(cfg)
    _drop_collate_scope(cfg)
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(Path('work_dirs', path.stem))
    return cfg


def _read(path: Path, options: Dict[str, Any]) -> Tuple[Config, Dict[str, Any]]:
    """Load a config with its settings and own modules, and check its keys; return the other options, too."""
    folders = add_own_modules(path)
    try:
        cfg, options = load_with_settings(path, options)
        check_own_modules(cfg, folders)
        if configs_folder().resolve() not in path.resolve().parents:
            check_child(path, cfg._cfg_dict)
    except (SyntaxError, FileNotFoundError, ConfigParsingError, SettingError, OwnModuleError, KeyProblem) as error:
        raise ConfigError(f'{path}: {error}') from error
    except ImportError as error:
        raise ConfigError(f'{path}: {explain_missing_module(error, folders)}') from error
    except Exception as error:
        # MMEngine runs the file, whose code can raise anything
        raise ConfigError(f'{path}{_line_of(error, path)}: {type(error).__name__}: {error}') from error
    return cfg, options


def _drop_collate_scope(cfg: Config) -> None:
    """Make ``_base_ = 'mmyolo::…'`` trainable: MMEngine stamps the scope on ``collate_fn``, too, and passes it on."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        collate = (cfg.get(name) or {}).get('collate_fn')
        if isinstance(collate, dict) and collate.get('_scope_') == cfg.get('default_scope'):
            collate.pop('_scope_', None)


def _line_of(error: Exception, path: Path) -> str:
    """Return the line that raised an error, with its file if that is a base or a module of the config."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name == '<module>']
    if not frames:
        return ''
    line = f', line {frames[-1].lineno}'
    return line if Path(frames[-1].filename).resolve() == path.resolve() else f' ({frames[-1].filename}{line})'


def set_launcher(cfg: Config, launcher: str, local_rank: int) -> None:
    """Set the launcher of a distributed run; without CUDA the processes use gloo.

    Args:
        cfg (Config): The config, changed in place.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.
        local_rank (int): Rank of this process on its machine, unless ``LOCAL_RANK`` is set.

    Raises:
        ConfigError: There is no CUDA and the launcher is 'slurm' or 'mpi', which MMEngine supports with CUDA only.
    """
    os.environ.setdefault('LOCAL_RANK', str(local_rank))
    cfg.launcher = launcher
    if launcher == 'none' or torch.cuda.is_available():
        return
    if launcher != 'pytorch':
        raise ConfigError(f'--launcher {launcher} needs CUDA; on CPUs use --launcher pytorch (tools/dist_train.sh)')
    # MMEngine would select a CUDA device for each process; it keeps an existing process group.
    seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
    torch.distributed.init_process_group('gloo', timeout=None if seconds is None else timedelta(seconds=seconds))
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    cfg.model_wrapper_cfg = dict(wrapper, find_unused_parameters=cfg.get('find_unused_parameters', False))
    # SyncBN needs CUDA; MMYOLO's detector uses it by default.
    cfg.sync_bn = None
    if str(cfg.model.type).endswith('YOLODetector'):
        cfg.model.use_syncbn = False
    if is_main_process():
        print_log('no CUDA device: the processes communicate by gloo instead of nccl, and each normalizes its own '
                  'batch (no SyncBN)', logger='current')


def set_hook(cfg: Config, kind: str, **options) -> None:
    """Update the options of one of mmseam's hooks in the config, or add the hook.

    Args:
        cfg (Config): The config, changed in place.
        kind (str): Name of the hook's class.
        **options: Arguments of the hook to set.
    """
    hooks = list(cfg.get('custom_hooks') or [])
    present = [hook for hook in hooks if getattr(hook.type, '__name__', hook.type).split('.')[-1] == kind]
    for hook in present:
        hook.update(options)
    cfg.custom_hooks = hooks if present else [*hooks, dict(type=f'mmseam.{kind}', **options)]


def innermost_dataset(dataset: ConfigDict) -> ConfigDict:
    """Return the config of the dataset inside its wrappers (those with one dataset)."""
    while 'dataset' in dataset:
        dataset = dataset.dataset
    return dataset


def format_config(cfg: Config, key: Optional[str] = None) -> str:
    """Format a config, or a part of it, as a config file.

    Args:
        cfg (Config): The config.
        key (str, optional): Dotted key of the part, with the index for a list. Defaults to None: the whole config.

    Returns:
        str: The text, which is Python.

    Raises:
        ConfigError: The config has no such key.
    """
    if key is None:
        return cfg.pretty_text
    value, path = cfg._cfg_dict, key.split('.')
    for name in path:
        items = dict(enumerate(value)) if isinstance(value, (list, tuple)) else value if isinstance(value, dict) else {}
        items = {str(known): item for known, item in items.items()}
        if name not in items:
            near = difflib.get_close_matches(name, items, n=1)
            hint = f'did you mean {near[0]!r}?' if near else f'known keys: {", ".join(items) or "none"}'
            raise ConfigError(f'the config has no {key!r}: there is no {name!r}; {hint}')
        value = items[name]
    last = path[-1] if path[-1].isidentifier() else f'item_{path[-1]}'
    return Config({last: value}).pretty_text


def to_plain(value: Any) -> Any:
    """Convert MMEngine's containers to plain dicts and lists without scopes, which print well and fit into JSON.

    Args:
        value (Any): A value of a config.

    Returns:
        Any: The same as dicts, lists (tuples too) and scalars, without ``_scope_``.
    """
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items() if key != '_scope_'}
    return [to_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
