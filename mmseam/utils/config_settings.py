"""Settings: variables at the top of a shipped config that a child config or the command line can change.

MMEngine evaluates a base before its child, so ``img_scale = (320, 320)`` in a child changes the variable, but none of
the pipelines that the base has built from it. :func:`load_with_settings` evaluates the shipped bases again with the
values of the child. ``Config.fromfile`` alone cannot; :func:`find_ignored_settings` reports what it has ignored.
"""
import ast
import re
import tempfile
from itertools import count
from numbers import Number
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from mmengine.config import Config

_BASE = '_base_'
_PACKAGE = Path(__file__).resolve().parent.parent
_SHIPPED = [folder.resolve() for folder in (_PACKAGE / '.mim' / 'configs', _PACKAGE.parent / 'configs')
            if folder.is_dir()]
# Values of settings are numbers, strings and sequences of them; no dicts, which MMEngine merges, no transforms
_VALUES = (ast.Constant, ast.Tuple, ast.List, ast.UnaryOp, ast.BinOp)
_KINDS = {int: 'whole number', float: 'number', str: 'string', tuple: 'tuple', list: 'list'}
_NO_VALUES = (ast.Dict, ast.DictComp, ast.Set, ast.Starred, ast.Call)


class SettingError(ValueError):
    """A setting of the wrong type; the message names it and a valid value."""


class _File(NamedTuple):
    """A config file of an inheritance chain.

    Args:
        text (str): Its content, with MMEngine's predefined variables replaced.
        assigned (Dict[str, ast.Assign]): Its top-level assignments by name; the last one of each.
        bases (List[Tuple[str, Optional[Path]]]): Its bases: for a Python file, ``mmseam::`` or '' and its path; for a
            base that MMEngine has to find, its name and None.
        is_shipped (bool): Whether it is a config of mmseam.
    """
    text: str
    assigned: Dict[str, ast.Assign]
    bases: List[Tuple[str, Optional[Path]]]
    is_shipped: bool


def load_with_settings(path: Path, options: Mapping[str, Any]) -> Tuple[Config, Dict[str, Any]]:
    """Load a config; values of settings in it and in the options replace those of its shipped bases.

    Args:
        path (Path): Config file.
        options (Mapping[str, Any]): Config overrides by dotted key.

    Returns:
        tuple: The config, and the options that are not settings and have to be merged into it.

    Raises:
        SettingError: A value has a different type from the one that it replaces.
    """
    cfg = Config.fromfile(str(path))
    if path.suffix != '.py':
        return cfg, dict(options)
    chain = _read_chain(path)
    known = _settings(chain)
    given = {name: _fit(name, value, known[name]) for name, value in options.items() if name in known}
    rest = {name: value for name, value in options.items() if name not in given}
    changed = {name: _fit(name, cfg[name], known[name]) for name in _reassigned(path, chain)
               if name in known and name not in given and _is_plain(cfg.get(name))}
    if not given and not changed:
        return cfg, rest
    with tempfile.TemporaryDirectory() as folder:
        copy = _Copier(chain, changed, given, Path(folder))(path, dict(given))
        resolved = Config.fromfile(str(copy), import_custom_modules=False)
    return Config(resolved._cfg_dict, cfg_text=cfg.text, filename=cfg.filename, env_variables=cfg.env_variables), rest


def find_settings(path: Path) -> List[str]:
    """List the settings of a config, those of its shipped bases.

    Args:
        path (Path): Config file.

    Returns:
        List[str]: Their names.
    """
    return sorted(_settings(_read_chain(path)))


def find_ignored_settings(cfg: Config) -> List[str]:
    """Find settings of a child config that had no effect because it was loaded by ``Config.fromfile``.

    Args:
        cfg (Config): The config, as it is about to be used.

    Returns:
        List[str]: Names of the settings; empty if the config has no file or was loaded with its settings.
    """
    path = Path(cfg.filename or '')
    if path.suffix != '.py' or not path.is_file():
        return []
    chain = _read_chain(path)
    names = sorted(set(_reassigned(path, chain)) & set(_settings(chain)))
    if not names:
        return []
    plain, resolved = Config.fromfile(str(path), import_custom_modules=False), load_with_settings(path, {})[0]
    ignored = [key for key in resolved if key in plain and resolved[key] != plain[key] and cfg.get(key) == plain[key]]
    return names if ignored else []


def _read_chain(path: Path) -> Dict[Path, _File]:
    """Read a config and all of its Python bases."""
    chain: Dict[Path, _File] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file not in chain:
            chain[file] = _read(file)
            waiting += [base for _, base in chain[file].bases if base]
    return chain


def _read(path: Path) -> _File:
    text = path.read_text(encoding='utf-8')
    variables = dict(fileDirname=path.parent, fileBasename=path.name, fileBasenameNoExtension=path.stem,
                     fileExtname=path.suffix)
    for name, value in variables.items():
        text = re.sub(r'\{\{\s*' + name + r'\s*\}\}', lambda _, value=value: Path(value).as_posix(), text)
    assigned = {node.targets[0].id: node for node in ast.parse(text, str(path)).body
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}
    resolved = path.resolve()
    return _File(text, assigned, list(_find_bases(path, assigned.get(_BASE))),
                 any(folder in resolved.parents for folder in _SHIPPED))


def _find_bases(path: Path, node: Optional[ast.Assign]) -> Iterator[Tuple[str, Optional[Path]]]:
    """Yield the bases of a file as :class:`_File` has them."""
    names = _literal(node.value) if node else []
    for name in [names] if isinstance(names, str) else (names if isinstance(names, (list, tuple)) else ()):
        prefix = 'mmseam::' if name.startswith('mmseam::') else ''
        base = (_SHIPPED[0] if prefix else path.parent.absolute()) / name[len(prefix):]
        if base.is_file() and base.suffix == '.py':
            yield prefix, base
        else:
            yield (str(base) if '::' not in name else name), None


def _settings(chain: Mapping[Path, _File]) -> Dict[str, Any]:
    """Return the settings of the shipped files, with their values where these are literals, else Ellipsis."""
    found: Dict[str, Any] = {}
    for file in chain.values():
        for name, node in file.assigned.items() if file.is_shipped else ():
            if name != _BASE and _is_setting(node.value) and found.get(name, ...) in (..., None):
                found[name] = _literal(node.value)
    return found


def _is_setting(node: ast.expr) -> bool:
    return isinstance(node, _VALUES) and not any(isinstance(part, _NO_VALUES) for part in ast.walk(node))


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ...


def _reassigned(path: Path, chain: Mapping[Path, _File]) -> Iterator[str]:
    """Yield names assigned both in a shipped base and in the config or a base of its own."""
    for file in (file for position, file in chain.items() if position == path or not file.is_shipped):
        below = [chain[base] for _, first in file.bases if first for base in _below(first, chain)]
        for name in file.assigned:
            if any(name in base.assigned and base.is_shipped for base in below):
                yield name


def _below(path: Path, chain: Mapping[Path, _File]) -> List[Path]:
    """List a file and its bases."""
    return [path, *(below for _, base in chain[path].bases if base for below in _below(base, chain))]


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, Number))


def _fit(name: str, value: Any, shipped: Any) -> Any:
    """Check a value against the one that it replaces; a list, the form on the command line, replaces a tuple."""
    if shipped is ... or shipped is None:
        return value
    if isinstance(shipped, tuple) and isinstance(value, (list, tuple)):
        is_size = shipped and all(isinstance(item, Number) for item in shipped)
        if not is_size or (len(value) == len(shipped) and all(isinstance(item, Number) for item in value)):
            return tuple(value)
    elif isinstance(shipped, bool) or isinstance(value, bool):
        if isinstance(value, bool) and isinstance(shipped, bool):
            return value
    elif isinstance(shipped, float) and isinstance(value, (int, float)) or isinstance(value, type(shipped)):
        return value
    hint = f'; for a single one write ({value!r}, ), with the comma' if isinstance(value, str) and (
        isinstance(shipped, tuple)) else ''
    kind = 'True or False' if isinstance(shipped, bool) else f'a {_KINDS[type(shipped)]} such as {shipped!r}'
    raise SettingError(f'{name} must be {kind}, not {value!r}{hint}')


class _Copier:
    """Copy the files of a chain with changed settings.

    Args:
        chain (Mapping[Path, _File]): The files.
        changed (Mapping[str, Any]): Values that files of the chain assign, for their shipped bases.
        given (Mapping[str, Any]): Values of the command line, for all files.
        folder (Path): Folder for the copies.
    """

    def __init__(self, chain: Mapping[Path, _File], changed: Mapping[str, Any], given: Mapping[str, Any],
                 folder: Path) -> None:
        self.chain, self.changed, self.given, self.folder = chain, changed, given, folder
        self._numbers = count()

    def __call__(self, path: Path, values: Dict[str, Any]) -> Path:
        """Copy a file and its bases; return the path of the copy."""
        file = self.chain[path]
        below = {**{name: self.changed[name] for name in file.assigned if name in self.changed}, **values}
        replaced = {name: value for name, value in values.items() if name in file.assigned
                    and (name in self.given or (file.is_shipped and _is_setting(file.assigned[name].value)))}
        if file.bases:
            replaced[_BASE] = [f'{name}{self(base, below).as_posix()}' if base else name for name, base in file.bases]
        copy = self.folder / f'{next(self._numbers)}.py'
        copy.write_text(_replace(file, replaced), encoding='utf-8')
        return copy


def _replace(file: _File, values: Mapping[str, Any]) -> str:
    """Return the text of a file with the values of some assignments replaced."""
    lines = file.text.splitlines()
    for name in sorted(values, key=lambda name: -file.assigned[name].lineno):
        node = file.assigned[name]
        lines[node.lineno - 1:node.end_lineno] = [f'{name} = {values[name]!r}']
    return '\n'.join(lines) + '\n'
