"""Access to datasets inside wrappers such as ``RepeatDataset``, ``ConcatDataset`` and ``MultiImageMixDataset``."""
from typing import Any, Iterator, List, Optional, Tuple

from mmengine.dataset import Compose


def wrapped_datasets(dataset: Any) -> List[Any]:
    """List the datasets inside a wrapper, which MMEngine names ``datasets`` or ``dataset``.

    Args:
        dataset (Any): A built dataset.

    Returns:
        List[Any]: The wrapped datasets; empty if ``dataset`` is not a wrapper.
    """
    if hasattr(dataset, 'datasets'):
        return list(dataset.datasets)
    return [dataset.dataset] if hasattr(dataset, 'dataset') else []


def innermost_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the datasets inside all wrappers, which read the annotations.

    Args:
        dataset (Any): A built dataset, wrapped or not.

    Yields:
        Any: Each innermost dataset; ``dataset`` itself if it is not a wrapper.
    """
    inner = wrapped_datasets(dataset)
    if not inner:
        yield dataset
    for part in inner:
        yield from innermost_datasets(part)


def dataset_configs(name: str, dataset: Optional[dict]) -> List[Tuple[str, dict]]:
    """List the configs of the datasets inside wrappers and concatenations.

    Args:
        name (str): Dotted key of the dataset.
        dataset (dict, optional): Its config.

    Returns:
        list[tuple[str, dict]]: Dotted key and config of each.
    """
    if not isinstance(dataset, dict):
        return []
    if 'dataset' in dataset:
        return dataset_configs(f'{name}.dataset', dataset['dataset'])
    if 'datasets' in dataset:
        parts = enumerate(dataset['datasets'])
        return [found for i, part in parts for found in dataset_configs(f'{name}.datasets.{i}', part)]
    return [(name, dataset)]


def replace_pipeline(dataset: Any, pipeline: List[dict]) -> int:
    """Replace the pipeline of every dataset inside the wrappers.

    The pipeline of ``MultiImageMixDataset`` itself, which mixes samples of the wrapped dataset, is emptied.

    Args:
        dataset (Any): A built dataset, wrapped or not, changed in place.
        pipeline (List[dict]): Configs of the transforms, from loading to packing.

    Returns:
        int: Number of replaced pipelines.
    """
    inner = wrapped_datasets(dataset)
    if inner:
        if hasattr(dataset, 'pipeline_types'):
            dataset.pipeline, dataset.pipeline_types = [], []
        return sum(replace_pipeline(part, pipeline) for part in inner)
    if not hasattr(dataset, 'pipeline'):
        return 0
    dataset.pipeline = Compose(pipeline)
    return 1
