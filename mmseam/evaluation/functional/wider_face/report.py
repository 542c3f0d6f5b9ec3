"""Tables and files of WIDER FACE results; one row is one subset of one method."""
import csv
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np
from rich import box
from rich.markup import escape
from rich.table import Table

from mmseam.utils.atomic_write import atomic_write

from .bootstrap import PairedDifference, paired_difference, percentile_interval
from .protocol import WIDERFaceResult


@dataclass(frozen=True)
class WIDERFaceRow:
    """AP of one method on one subset.

    Args:
        method (str): Name of the method.
        subset (str): Name of the subset or slice.
        num_faces (int): Number of faces it keeps.
        ap (float): Average precision in [0, 1], NaN without faces.
        low (float, optional): Lower end of the 95 % interval, if there was a bootstrap.
        high (float, optional): Upper end.
    """

    method: str
    subset: str
    num_faces: int
    ap: float
    low: Optional[float] = None
    high: Optional[float] = None


@dataclass(frozen=True)
class WIDERFaceComparison(PairedDifference):
    """Paired difference of two methods on one subset, with their names."""

    baseline: str
    method: str
    subset: str


def summarize(method: str,
              results: Mapping[str, WIDERFaceResult],
              samples: Optional[Mapping[str, np.ndarray]] = None) -> List[WIDERFaceRow]:
    """Rows of one method.

    Args:
        method (str): Its name.
        results (Mapping[str, WIDERFaceResult]): By subset.
        samples (Mapping[str, np.ndarray], optional): Bootstrap AP by subset, for the intervals.

    Returns:
        list[WIDERFaceRow]: One a subset.
    """
    intervals = {name: percentile_interval(samples[name]) if samples else (None, None) for name in results}
    return [WIDERFaceRow(method, name, result.num_faces, result.ap, *intervals[name])
            for name, result in results.items()]


def compare(results: Mapping[str, Mapping[str, WIDERFaceResult]], samples: Mapping[str, Mapping[str, np.ndarray]],
            methods: Sequence[str]) -> List[WIDERFaceComparison]:
    """Paired differences of methods to the first of them, on every subset.

    Args:
        results (Mapping): By method, by subset.
        samples (Mapping): Bootstrap AP by method, by subset, drawn with the same seed.
        methods (Sequence[str]): The baseline, then the others.

    Returns:
        list[WIDERFaceComparison]: For each method but the first, for each subset.
    """
    baseline, *others = methods
    comparisons = []
    for method in others:
        for subset, result in results[method].items():
            difference = paired_difference(results[baseline][subset].ap, result.ap, samples[baseline][subset],
                                           samples[method][subset])
            comparisons.append(WIDERFaceComparison(**asdict(difference), baseline=baseline, method=method,
                                                   subset=subset))
    return comparisons


def results_table(rows: Sequence[WIDERFaceRow]) -> Table:
    """Table for the terminal: a line a subset, a column a method, AP in percent.

    Args:
        rows (Sequence[WIDERFaceRow]): Of any number of methods.

    Returns:
        rich.table.Table: To be printed by ``rich``.
    """
    methods = list(dict.fromkeys(row.method for row in rows))
    table = Table(title='WIDER FACE, AP in %', box=box.SIMPLE)
    table.add_column('subset', no_wrap=True)
    table.add_column('faces', justify='right')
    for method in methods:
        table.add_column(escape(method), justify='right', overflow='fold')
    by_subset: Dict[str, Dict[str, WIDERFaceRow]] = {}
    for row in rows:
        by_subset.setdefault(row.subset, {})[row.method] = row
    for subset, cells in by_subset.items():
        faces = next(iter(cells.values())).num_faces
        table.add_row(escape(subset), f'{faces:,}', *(_cell(cells[method]) for method in methods))
    return table


def _cell(row: WIDERFaceRow) -> str:
    if math.isnan(row.ap):
        return '–'
    interval = '' if row.low is None or row.high is None else f' [{100 * row.low:.1f}, {100 * row.high:.1f}]'
    return escape(f'{100 * row.ap:.2f}{interval}')


def comparison_table(comparisons: Sequence[WIDERFaceComparison]) -> Table:
    """Table for the terminal: differences in points of AP, with 95 % interval and p-value.

    Args:
        comparisons (Sequence[WIDERFaceComparison]): From :func:`compare`; a section for each pair of methods.

    Returns:
        rich.table.Table: To be printed by ``rich``.
    """
    table = Table(title='Paired bootstrap over images, difference in points of AP', box=box.SIMPLE)
    table.add_column('subset')
    for title in ('difference', '95 %', 'p'):
        table.add_column(title, justify='right', no_wrap=True)
    pair = None
    for item in comparisons:
        if pair != (item.method, item.baseline):
            pair = item.method, item.baseline
            table.add_section()
            table.add_row(f'[bold]{escape(item.method)} − {escape(item.baseline)}[/bold]')
        interval = escape(f'[{100 * item.low:+.2f}, {100 * item.high:+.2f}]')
        table.add_row(escape(item.subset), f'{100 * item.difference:+.2f}', interval, f'{item.p_value:.3f}')
    return table


def write_csv(path: Union[str, Path], rows: Sequence[WIDERFaceRow]) -> None:
    """Write rows as comma-separated values, AP as a fraction.

    Args:
        path (str or Path): File to write or replace.
        rows (Sequence[WIDERFaceRow]): Rows.
    """
    with atomic_write(path, newline='') as file:
        writer = csv.DictWriter(file, fieldnames=list(WIDERFaceRow.__dataclass_fields__))
        writer.writeheader()
        writer.writerows(map(asdict, rows))


def write_json(path: Union[str, Path],
               rows: Sequence[WIDERFaceRow],
               results: Mapping[str, Mapping[str, WIDERFaceResult]],
               comparisons: Sequence[WIDERFaceComparison] = ()) -> None:
    """Write rows, comparisons and all precision-recall curves; NaN becomes null.

    Args:
        path (str or Path): File to write or replace.
        rows (Sequence[WIDERFaceRow]): Rows.
        results (Mapping): By method, by subset, for the curves.
        comparisons (Sequence[WIDERFaceComparison]): Differences. Defaults to none.
    """
    curves = {
        method: {
            subset: dict(recall=result.recall.round(6).tolist(), precision=result.precision.round(6).tolist())
            for subset, result in by_subset.items()
        }
        for method, by_subset in results.items()
    }
    content = dict(results=list(map(asdict, rows)), comparisons=list(map(asdict, comparisons)), curves=curves)
    with atomic_write(path, newline='') as file:
        file.write(json.dumps(_without_nan(content), indent=1, allow_nan=False) + '\n')


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
