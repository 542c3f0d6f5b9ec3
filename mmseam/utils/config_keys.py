"""Find misspelled keys and values of the wrong type in config overrides and child configs.

Arguments of classes are checked against their signatures by :mod:`mmseam.analysis.config_arguments`; here, keys are
compared with those of the base.
"""
import ast
import difflib
from numbers import Number
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from mmengine.config import Config

#: Keys of a config that MMEngine's runner and mmseam's tools read.
RUNTIME_KEYS = (
    'model', 'work_dir', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'val_cfg', 'test_cfg',
    'auto_scale_lr', 'optim_wrapper', 'param_scheduler', 'val_evaluator', 'test_evaluator', 'default_hooks',
    'custom_hooks', 'data_preprocessor', 'load_from', 'resume', 'launcher', 'env_cfg', 'log_processor', 'log_level',
    'visualizer', 'vis_backends', 'default_scope', 'randomness', 'experiment_name', 'custom_imports', 'compile',
    'model_wrapper_cfg', 'find_unused_parameters', 'sync_bn', 'runner_type', 'tta_model', 'tta_pipeline',
    'efficient_conv_bn_eval', 'activation_checkpointing')
_LOADER = ('batch_size', 'num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'sampler', 'shuffle',
           'batch_sampler', 'dataset', 'collate_fn', 'drop_last', 'timeout', 'worker_init_fn', 'num_batch_per_epoch',
           'multiprocessing_context', 'generator', 'pin_memory_device')
# Dicts without a type whose keys are all known
_CLOSED = dict(
    train_dataloader=_LOADER, val_dataloader=_LOADER, test_dataloader=_LOADER,
    randomness=('seed', 'diff_rank_seed', 'deterministic'),
    env_cfg=('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'))
# Numbers that a string may replace: a dynamic loss scale, padding by name, the checkpoint to resume
_TEXT_ALLOWED = ('loss_scale', 'padding', 'resume')
# Minimum similarity at which a new key counts as misspelled: `max_epoch` has .95, `bbox_min_size` .76 to `min_size`
_CUTOFF = 0.8


class KeyProblem(ValueError):
    """A key or value of a config that has no effect or cannot work."""


class _NewKey(NamedTuple):
    """Key that the base does not have.

    Args:
        path (str): Dotted path of the dict that has it, '' for the config.
        key (str): The key.
        parent (Mapping): That dict, in the base.
    """
    path: str
    key: str
    parent: Mapping

    @property
    def name(self) -> str:
        """Dotted path of the key."""
        return f'{self.path}.{self.key}' if self.path else self.key


def check_overrides(cfg: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Check overrides against the config that they are about to change.

    Args:
        cfg (Mapping[str, Any]): The config.
        options (Mapping[str, Any]): Values by dotted key.

    Raises:
        KeyProblem: The config has no such key and nothing reads it, or a string replaces a number.
    """
    for name, value in options.items():
        new = _find_new_key(cfg, name.split('.'))
        if isinstance(new, _NewKey):
            problem = _unknown_override(new) if not new.path else _unknown(new)
            if problem:
                raise KeyProblem(problem)
            _check_new_section(new, value if name == new.name else {name.split('.')[1]: value})
        else:
            _check_type(name, new, value)


def check_child(path: Path, cfg: Mapping[str, Any]) -> None:
    """Check a config that inherits from others against its bases.

    Args:
        path (Path): Config file.
        cfg (Mapping[str, Any]): Its content, with the bases.

    Raises:
        KeyProblem: A key is new, nothing reads it, and it resembles a key of the base; or a string replaces a number.
    """
    bases = _load_bases(path)
    if not bases:
        return
    used = _used_names(path)
    for new, value, old in _compare(cfg, bases, ''):
        if old is not ...:
            _check_type(new.name, old, value)
        elif new.path or (new.key not in used and new.key not in RUNTIME_KEYS):
            known = None if new.path else [*RUNTIME_KEYS, *bases]
            problem = _unknown(new, known)
            if problem:
                raise KeyProblem(problem)
        else:
            _check_new_section(new, value)


def closest(key: str, known: Sequence[str], cutoff: float = _CUTOFF) -> str:
    """Return the most similar name, or '' if none is similar.

    Args:
        key (str): The misspelled name.
        known (Sequence[str]): The names that exist.
        cutoff (float): Minimum similarity, from 0 to 1. Defaults to 0.8.

    Returns:
        str: The name.
    """
    key = str(key)
    near = difflib.get_close_matches(key, [str(name) for name in known], n=3, cutoff=cutoff)
    # `ga_assigner` beside `assigner` is a variant, not a misspelled one
    variants = [name for name in near if key.endswith(f'_{name}') or key.startswith(f'{name}_')]
    return next((name for name in near if name not in variants), '')


def _find_new_key(node: Any, names: List[str]) -> Any:
    """Return the first key of a path that does not exist, or the value at the path (Ellipsis if it cannot exist)."""
    path = []
    for name in names:
        if isinstance(node, (list, tuple)):
            if not name.isdigit() or int(name) >= len(node):
                return ...
            node = node[int(name)]
        elif isinstance(node, Mapping):
            if name not in node:
                return _NewKey('.'.join(path), name, node)
            node = node[name]
        else:
            return ...
        path.append(name)
    return node


def _unknown_override(new: _NewKey) -> str:
    if new.key in RUNTIME_KEYS:
        return ''
    near = closest(new.key, [*RUNTIME_KEYS, *new.parent], 0.6)
    hint = f'did you mean {near!r}?' if near else '`mmseam config CONFIG` prints the keys'
    return f'there is no key {new.key!r} in the config; {hint}'


def _check_new_section(new: _NewKey, value: Any) -> None:
    """Check a section of the config that the base does not have, such as ``randomness``."""
    for key in value if new.key in _CLOSED and not new.path and isinstance(value, Mapping) else ():
        problem = _unknown(_NewKey(new.key, key, {}))
        if problem:
            raise KeyProblem(problem)


def _unknown(new: _NewKey, known: Optional[Sequence[str]] = None) -> str:
    """Describe the problem with a new key; '' if the keys beside it reveal none."""
    if 'type' in new.parent:
        return ''  # the arguments of its class decide
    closed = _CLOSED.get(new.path)
    if closed and new.key in closed:
        return ''
    near = closest(new.key, [*(known or new.parent), *(closed or ())])
    if near:
        return f'{new.name} is an unknown key; did you mean {near!r}?'
    return f'{new.name} is an unknown key; known keys: {", ".join(closed)}' if closed else ''


def _check_type(name: str, old: Any, value: Any) -> None:
    if isinstance(old, Number) and isinstance(value, str) and name.split('.')[-1] not in _TEXT_ALLOWED:
        kind = 'True or False' if isinstance(old, bool) else 'a number'
        raise KeyProblem(f'{name} must be {kind} such as {old!r}, not the string {value!r}')


def _compare(new: Mapping, base: Mapping, path: str) -> Iterator[Tuple[_NewKey, Any, Any]]:
    """Yield changed values and new keys (with Ellipsis as the old value), also those of nested dicts."""
    both = {key: value for key, value in new.items() if key in base}
    for key, value in new.items():
        entry = _NewKey(path, key, both)
        if key not in base:
            yield entry, value, ...
        elif isinstance(value, Mapping) and isinstance(base[key], Mapping):
            yield from _compare(value, base[key], entry.name)
        else:
            yield entry, value, base[key]


def _load_bases(path: Path) -> Dict[str, Any]:
    """Load the bases of a text config, merged as MMEngine does; empty if it has none."""
    if path.suffix != '.py' or not any(_is_base(node) for node in ast.parse(path.read_text(encoding='utf-8')).body):
        return {}
    merged: Dict[str, Any] = {}
    for name in Config._get_base_files(str(path)):
        base, _ = Config._get_cfg_path(name, str(path))
        merged.update(Config.fromfile(base, import_custom_modules=False)._cfg_dict)
    return merged


def _is_base(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '_base_'


def _used_names(path: Path) -> set:
    """Collect the variables that a config reads."""
    nodes = ast.walk(ast.parse(path.read_text(encoding='utf-8')))
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
