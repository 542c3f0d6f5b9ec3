"""Read and check the YAML file that describes a study."""
import difflib
import os
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Optional, Type, Union

import yaml

from .study_description import EvaluationSet, ImageSet, Occlusion, Start, Study, Variant

_MAX_BYTES = 2**20
_NAME = re.compile(r"[A-Za-z0-9][\w .+-]{0,63}")


class StudyFileError(ValueError):
    """Invalid study file; the message names the file, the key and the remedy."""


def read_study(path: Union[str, Path], require_environment: bool = True) -> Study:
    """Read a study file.

    Paths are relative to the file; environment variables (``$DATA/faces``) are expanded.

    Args:
        path (str or Path): YAML file.
        require_environment (bool): Whether the environment variables in paths must be set. Without them, results can
            be read, but nothing can be trained. Defaults to True.

    Returns:
        Study: The study.

    Raises:
        StudyFileError: The file is missing or invalid.
    """
    path = Path(path)
    content = _read_yaml(path)
    reader = _Reader(path, require_environment)
    content['train'] = [reader.build(ImageSet, item, f'train[{i}]')
                        for i, item in enumerate(reader.expect(list, content.get('train'), 'train'))]
    content['evaluate'] = reader.build_all(EvaluationSet, content.get('evaluate'), 'evaluate')
    variants = reader.expect(dict, content.get('variants'), 'variants')
    content['variants'] = reader.build_all(Variant, {name: item or {} for name, item in variants.items()}, 'variants')
    for key, kind in (('start', Start), ('occlusion', Occlusion)):
        if content.get(key) is not None:
            content[key] = reader.build(kind, content[key], key)
    study = reader.build(Study, {**content, 'file': path.resolve()}, '')
    _check(study, reader)
    _check_controls(study, reader)
    return study


def _read_yaml(path: Path) -> dict:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise StudyFileError(f'{path}: larger than a megabyte, which no study file is')
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError) as error:
        raise StudyFileError(f'{path}: cannot be read: {error}') from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise StudyFileError(f'{path}: not valid YAML: {str(error).splitlines()[0]}') from None
    if not isinstance(content, dict):
        raise StudyFileError(f'{path}: expected keys and values, such as "title: …"')
    return content


class _Reader:
    """Build dataclasses from the values of a file, with errors that name the file and the key."""

    def __init__(self, path: Path, require_environment: bool) -> None:
        self.path = path
        self.require_environment = require_environment

    def fail(self, where: str, problem: str) -> StudyFileError:
        return StudyFileError(f'{self.path}: {where}: {problem}' if where else f'{self.path}: {problem}')

    def expect(self, kind: type, value: Any, where: str) -> Any:
        if not isinstance(value, kind) or not value:
            raise self.fail(where, f'expected a {"list" if kind is list else "mapping of names"} with an entry')
        return value

    def build_all(self, kind: Type, items: Any, where: str) -> dict:
        for name in self.expect(dict, items, where):
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise self.fail(where, f'{name!r} is not a valid name; use letters, digits, and ._+-')
        return {name: self.build(kind, item, f'{where}.{name}') for name, item in items.items()}

    def build(self, kind: Type, values: Any, where: str) -> Any:
        """Build a dataclass; paths are made absolute, and keys, types and missing values are checked."""
        if not isinstance(values, dict):
            raise self.fail(where, 'expected keys and values')
        known = {item.name: item for item in fields(kind)}
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                raise self.fail(where, f'unknown key {key!r}' + (f'; did you mean {near[0]!r}?' if near else
                                                                f'; known keys: {", ".join(known)}'))
        for name, item in known.items():
            if name not in values and item.default is MISSING and item.default_factory is MISSING:
                raise self.fail(where, f'the key {name!r} is missing')
        return kind(**{key: self._value(known[key].type, value, f'{where}.{key}'.lstrip('.'))
                       for key, value in values.items()})

    def _value(self, kind: Any, value: Any, where: str) -> Any:
        if kind in (Path, Optional[Path]):
            if not isinstance(value, (str, Path)):
                raise self.fail(where, f'expected a path, got {value!r}')
            return self._path(str(value), where)
        plain = {str: str, int: int, bool: bool}.get(kind)
        if plain is not None and (not isinstance(value, plain) or (plain is int and isinstance(value, bool))):
            raise self.fail(where, f'expected {"text" if plain is str else plain.__name__}, got {value!r}')
        name = getattr(kind, '_name', None) or getattr(kind, '__name__', '')
        if name in ('List', 'Dict') and not isinstance(value, list if name == 'List' else dict):
            raise self.fail(where, f'expected a {"list" if name == "List" else "mapping"}, got {value!r}')
        return value

    def _path(self, value: str, where: str) -> Path:
        expanded = os.path.expandvars(value)
        unset = re.search(r'\$\{?(\w+)', expanded)
        if unset and self.require_environment:
            raise self.fail(where, f'the environment variable {unset[1]} is not set')
        return (self.path.resolve().parent / expanded).resolve()


def _check(study: Study, reader: _Reader) -> None:
    """Check values that depend on each other, and their ranges."""
    if study.baseline not in study.variants:
        raise reader.fail('baseline', f'{study.baseline!r} is not among the variants {", ".join(study.variants)}')
    if not study.seeds or len(set(study.seeds)) < len(study.seeds) or not all(
            type(seed) is int and seed >= 0 for seed in study.seeds):
        raise reader.fail('seeds', f'expected different whole numbers, 0 or larger, got {study.seeds}')
    for key, step in (('epochs', 1), ('batch_size', 1), ('image_size', 32)):
        number = getattr(study, key)
        if number < 1 or number % step:
            raise reader.fail(key, f'expected a positive multiple of {step}, got {number}')
    for name, item in study.evaluate.items():
        if item.image_size < 0 or item.image_size % 32:
            raise reader.fail(f'evaluate.{name}.image_size', f'expected a multiple of 32, got {item.image_size}')
    if any(item.occlusion for item in study.evaluate.values()) and study.occlusion is None:
        raise reader.fail('occlusion', 'missing, but an evaluation set asks for occlusion curves')


def _check_controls(study: Study, reader: _Reader) -> None:
    for name, variant in study.variants.items():
        for index, control in enumerate(variant.controls):
            if control == study.baseline:
                raise reader.fail(f'variants.{name}.controls', 'the baseline is compared with anyway; remove it')
            if not isinstance(control, str) or control not in study.variants or control == name:
                raise reader.fail(f'variants.{name}.controls', f'{control!r} is not another variant of the study')
            if control in variant.controls[:index]:
                raise reader.fail(f'variants.{name}.controls', f'{control!r} is listed twice')
