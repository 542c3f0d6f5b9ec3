"""Check the datasets before the first iteration."""
import difflib
from typing import Any, Iterator, List, Sequence

from mmdet.datasets import CocoDataset
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.evaluator import DumpResults
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmseam.datasets.contents import DataContents, count_contents, read_categories
from mmseam.datasets.wrappers import innermost_datasets
from mmseam.registry import HOOKS
from mmseam.utils.config import ConfigError
from mmseam.utils.config_settings import find_ignored_settings

from .progress_bar_hook import ON_CONSOLE


@HOOKS.register_module()
class DataCheckHook(Hook):
    """Log the size of each dataset, and raise an error if a training or a test would run without data.

    MMDetection silently skips everything that does not match, such as boxes of unknown class names, and trains on the
    rest, even if nothing is left. This hook compares the class names with those in COCO files, and counts images and
    boxes after all filters. It logs one line per dataset::

        train: 580 images, 3,143 boxes of 1 class

    It reads annotations only, not images. It also checks that the settings of a child config have had an effect.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Check the datasets of the loops that will run.

        Args:
            runner (Runner): The runner.

        Raises:
            ConfigError: A dataset has no images or no boxes, its classes differ from those of its annotation file, or
                the config was loaded without its settings.
        """
        _check_settings(runner.cfg)
        for name in ('train', 'val', 'test'):
            loop = getattr(runner, f'_{name}_loop')  # the property would build unused loops
            if isinstance(loop, BaseLoop):
                metrics = getattr(getattr(loop, 'evaluator', None), 'metrics', [])
                contents = check_dataset(name, loop.dataloader.dataset, metrics)
                if contents is not None and is_main_process():
                    runner.logger.info(f'{name}: {contents}', extra=ON_CONSOLE)


def check_dataset(name: str, dataset: Any, metrics: Sequence = ()) -> DataContents:
    """Check that a dataset contains data to train on or to evaluate.

    Args:
        name (str): 'train', 'val' or 'test'.
        dataset (Any): The built dataset.
        metrics (Sequence): Metrics of the evaluator. Defaults to none.

    Returns:
        DataContents: Contents of the dataset; None if unknown.

    Raises:
        ConfigError: It is empty, or its classes differ from those of its annotation file.
    """
    parts = list(innermost_datasets(dataset))
    for part in parts:
        for problem in _check_classes(part):
            raise ConfigError(f'{name} set: {problem}')
    contents = count_contents(dataset)
    if contents is None:
        return None
    if not contents.num_images or (_needs_boxes(name, metrics) and not contents.boxes):
        raise ConfigError(f'{name} set: {_nothing(contents)} in {_files(parts)}; check ann_file, metainfo.classes and '
                          f'filter_cfg of {name}_dataloader.dataset')
    for metric in metrics:
        if hasattr(metric, 'check_images'):
            metric.check_images(contents.paths)
    return contents


def _check_settings(cfg: Config) -> None:
    names = find_ignored_settings(cfg)
    if names:
        raise ConfigError(f'{cfg.filename} sets {", ".join(names)}, but Config.fromfile has not evaluated the base '
                          'with these values: use mmseam.utils.config.load_config, or tools/train.py and tools/test.py')


def _needs_boxes(name: str, metrics: Sequence) -> bool:
    """Return whether the dataset is trained on or evaluated; results can be written without annotations."""
    only_written = [getattr(metric, 'format_only', isinstance(metric, DumpResults)) for metric in metrics]
    return name == 'train' or not only_written or not all(only_written)


def _nothing(contents: DataContents) -> str:
    return f'no valid boxes in {contents.num_images:,} images' if contents.num_images else 'no images'


def _files(parts: List[Any]) -> str:
    return ', '.join(str(getattr(part, 'ann_file', type(part).__name__)) for part in parts)


def _check_classes(dataset: Any) -> Iterator[str]:
    """Yield problems of the class names, for datasets that look them up by name in a COCO file."""
    if getattr(type(dataset), 'load_data_list', None) is not CocoDataset.load_data_list:
        return
    classes, categories = dataset.metainfo['classes'], read_categories(dataset.ann_file)
    if categories is None:
        return
    known, numbered = list(categories.values()), [categories[label] for label in dataset.cat_ids]
    unknown = [name for name in classes if name not in known]
    if unknown:
        yield f'{dataset.ann_file} has no class {_named(unknown, known)}; set metainfo.classes to names of the file'
    elif numbered != list(classes):
        yield (f'metainfo.classes is {_short(classes)}, but {dataset.ann_file} has {_short(numbered)}; MMDetection '
               'numbers classes in the order of the file, so detections would get wrong names: put them in that order')


def _named(unknown: List[str], known: List[str]) -> str:
    """Format unknown names with the closest known ones, or else with some known ones."""
    near = {name: difflib.get_close_matches(str(name), known, n=1) for name in unknown[:3]}
    words = [f'{name!r}' + (f' (did you mean {near[name][0]!r}?)' if near[name] else '') for name in near]
    more = f' and {len(unknown) - 3} more' if len(unknown) > 3 else ''
    return ', '.join(words) + more + ('' if any(near.values()) else f'; it has {_short(known)}')


def _short(names: Sequence[str]) -> str:
    return ', '.join(map(repr, names[:5])) + (f' and {len(names) - 5} more' if len(names) > 5 else '')
