"""Data sets inside wrappers such as ``RepeatDataset``, ``ConcatDataset`` and ``MultiImageMixDataset``."""
from typing import Any, Iterator, List

from mmengine.dataset import Compose


def wrapped_datasets(dataset: Any) -> List[Any]:
    """Data sets that a wrapper holds, by MMEngine's convention: ``datasets`` or ``dataset``.

    Args:
        dataset (Any): A built data set.

    Returns:
        List[Any]: What it wraps; empty if it is no wrapper.
    """
    if hasattr(dataset, 'datasets'):
        return list(dataset.datasets)
    return [dataset.dataset] if hasattr(dataset, 'dataset') else []


def innermost_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the data sets inside all wrappers, those that read annotations.

    Args:
        dataset (Any): A built data set, wrapped or not.

    Yields:
        Any: Each innermost data set; ``dataset`` itself if it is no wrapper.
    """
    inner = wrapped_datasets(dataset)
    if not inner:
        yield dataset
    for part in inner:
        yield from innermost_datasets(part)


def replace_pipeline(dataset: Any, pipeline: List[dict]) -> int:
    """Give every data set inside the wrappers another pipeline.

    ``MultiImageMixDataset`` has a pipeline of its own, which mixes the samples of the data set inside; it is emptied.

    Args:
        dataset (Any): A built data set, wrapped or not, changed in place.
        pipeline (List[dict]): Configs of the transforms, from loading to packing.

    Returns:
        int: Number of pipelines that were replaced.
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
