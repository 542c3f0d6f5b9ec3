"""Check that the annotation files and folders of a config exist."""
import difflib
import os
from pathlib import Path
from typing import Iterable, Iterator, Mapping, Optional

from mmengine.config import Config

from mmseam.datasets.wrappers import dataset_configs
from mmseam.utils.config import ConfigError

_END = 1024  # bytes


def check_files(cfg: Config, splits: Iterable[str]) -> None:
    """Check the datasets and evaluators of the splits that will run.

    Args:
        cfg (Config): The config.
        splits (Iterable[str]): 'train', 'val' or 'test'.

    Raises:
        ConfigError: A folder or a file does not exist; the message names its key and how to set it.
    """
    for split in splits:
        loader = f'{split}_dataloader'
        for name, dataset in dataset_configs(f'{loader}.dataset', (cfg.get(loader) or {}).get('dataset')):
            for problem in _check_dataset(name, dataset):
                raise ConfigError(problem)
        for problem in _check_evaluators(f'{split}_evaluator', cfg.get(f'{split}_evaluator')):
            raise ConfigError(problem)


def _check_dataset(name: str, dataset: Mapping) -> Iterator[str]:
    root = dataset.get('data_root') or ''
    if root and _is_missing(root, os.path.isdir):
        yield (f'{name}.data_root: there is no folder {root}{_from_here(root)}; put the data there, or set data_root, '
               f'for example --cfg-options {name}.data_root=FOLDER')
        return
    file = dataset.get('ann_file')
    path = os.path.join(root, file) if isinstance(file, str) and file else ''
    if path and _is_missing(path, os.path.exists):
        yield f'{name}.ann_file: there is no file {path}{_from_here(path)}{_similar(path)}'
    elif path.endswith('.json') and '://' not in path and not _is_json_object(path):
        yield (f'{name}.ann_file: {path} is cut off or no COCO JSON file, which begins with {{ and ends with }}; '
               'write or copy it again')


def _check_evaluators(name: str, evaluators: Optional[object]) -> Iterator[str]:
    for evaluator in evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]:
        for key, exists in (('ann_file', os.path.isfile), ('gt_dir', os.path.isdir)):
            path = evaluator.get(key) if isinstance(evaluator, Mapping) else None
            if path and _is_missing(path, exists):
                yield (f'{name}.{key} ({evaluator.get("type")}): there is no {path}{_from_here(path)}{_similar(path)}')


def _is_json_object(path: str) -> bool:
    """Look at both ends only: parsing a large file takes half a minute."""
    with open(path, 'rb') as file:
        first = file.read(_END).lstrip()[:1]
        file.seek(max(os.path.getsize(path) - _END, 0))
        return first == b'{' and file.read().rstrip()[-1:] == b'}'


def _is_missing(path: object, exists) -> bool:
    return isinstance(path, (str, os.PathLike)) and '://' not in str(path) and not exists(path)


def _from_here(path: str) -> str:
    return '' if os.path.isabs(path) else f' (from {os.getcwd()})'


def _similar(path: str) -> str:
    folder = Path(path).parent
    if not folder.is_dir():
        return f'; there is no folder {folder}, either'
    names = sorted(each.name for each in folder.iterdir() if not each.name.startswith('.'))
    near = difflib.get_close_matches(Path(path).name, names, n=1)
    if near:
        return f'; did you mean {near[0]}?'
    return f'; {folder} contains {", ".join(names[:4])}' + (', …' if len(names) > 4 else '') if names else ''
