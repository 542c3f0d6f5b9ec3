"""Results in files that are written as they come, so that memory stays flat."""
import csv
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Union

from mmseam.utils.atomic_write import atomic_write

from .results import DetectionResult

_COLUMNS = ('image', 'frame', 'name', 'label', 'score', 'x1', 'y1', 'x2', 'y2')
Add = Callable[[DetectionResult], None]


@contextmanager
def json_file(path: Union[str, Path]) -> Iterator[Add]:
    """A json list with an object per image, those of ``DetectionResult.to_json``; there when the block has ended.

    Args:
        path (str or Path): The file.

    Yields:
        Callable: Adds a result.
    """
    with atomic_write(path) as file:
        separator = '[\n'

        def add(result: DetectionResult) -> None:
            nonlocal separator
            file.write(separator + result.to_json())
            separator = ',\n'

        yield add
        file.write('[]\n' if separator == '[\n' else '\n]\n')


@contextmanager
def csv_file(path: Union[str, Path]) -> Iterator[Add]:
    """A table with a row per detection, whose columns are named in the first row; there when the block has ended.

    Args:
        path (str or Path): The file.

    Yields:
        Callable: Adds a result.
    """
    with atomic_write(path, newline='') as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)

        def add(result: DetectionResult) -> None:
            writer.writerows([result.name, result.frame, found['name'], found['label'], found['score'], *found['box']]
                             for found in result.to_dicts())

        yield add
