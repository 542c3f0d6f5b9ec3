"""Write results to files incrementally, with constant memory."""
import csv
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Union

from mmseam.utils.atomic_write import atomic_write, write_errors

from .results import COLUMNS, DetectionResult

Add = Callable[[DetectionResult], None]


@contextmanager
def json_file(path: Union[str, Path]) -> Iterator[Add]:
    """Open a JSON file for a list of ``DetectionResult.to_json`` objects; it appears at the end of the block.

    If interrupted, the results so far are kept in :func:`~mmseam.utils.atomic_write.partial_path`.

    Args:
        path (str or Path): The file to write.

    Yields:
        Callable: Function that adds a result.
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
    """Open a CSV file with a header and one row per detection; it appears at the end of the block.

    If interrupted, the results so far are kept in :func:`~mmseam.utils.atomic_write.partial_path`.

    Args:
        path (str or Path): The file to write.

    Yields:
        Callable: Function that adds a result.
    """
    with atomic_write(path, newline='', keep_interrupted=True) as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)

        def add(result: DetectionResult) -> None:
            rows = [[result.name, result.frame, found['name'], found['label'], found['score'], *found['box']]
                    for found in result.to_dicts()]
            with write_errors(path):
                writer.writerows(rows)

        yield add
