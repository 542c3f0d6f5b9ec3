"""Results in files that are written as they come, so that memory stays flat."""
import csv
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Union

from mmseam.utils.atomic_write import atomic_write, write_errors

from .results import DetectionResult

_COLUMNS = ('image', 'frame', 'name', 'label', 'score', 'x1', 'y1', 'x2', 'y2')
Add = Callable[[DetectionResult], None]


@contextmanager
def json_file(path: Union[str, Path]) -> Iterator[Add]:
    """A json list with an object per image, those of ``DetectionResult.to_json``; there when the block has ended.

    Of an interrupted block, what is done is kept as :func:`~mmseam.utils.atomic_write.partial_path`.

    Args:
        path (str or Path): The file.

    Yields:
        Callable: Adds a result.
    """
    with atomic_write(path, keep_interrupted=True) as file:
        separator = '[\n'

        def add(result: DetectionResult) -> None:
            nonlocal separator
            with write_errors(path):
                file.write(separator + result.to_json())
            separator = ',\n'

        try:
            yield add
        finally:
            with write_errors(path):
                file.write('[]\n' if separator == '[\n' else '\n]\n')


@contextmanager
def csv_file(path: Union[str, Path]) -> Iterator[Add]:
    """A table with a row per detection, whose columns are named in the first row; there when the block has ended.

    Of an interrupted block, what is done is kept as :func:`~mmseam.utils.atomic_write.partial_path`.

    Args:
        path (str or Path): The file.

    Yields:
        Callable: Adds a result.
    """
    with atomic_write(path, newline='', keep_interrupted=True) as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)

        def add(result: DetectionResult) -> None:
            rows = [[result.name, result.frame, found['name'], found['label'], found['score'], *found['box']]
                    for found in result.to_dicts()]
            with write_errors(path):
                writer.writerows(rows)

        yield add
