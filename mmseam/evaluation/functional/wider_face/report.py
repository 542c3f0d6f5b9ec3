"""Tables and files of WIDER FACE results, with one row per subset and method."""
import csv
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Union

import numpy as np
from rich import box
from rich.markup import escape
from rich.table import Table

from mmseam.utils.atomic_write import atomic_write
from mmseam.utils.strict_json import dump_json

from .bootstrap import PairedDifference, paired_difference, percentile_interval
from .protocol import WIDERFaceResult


@dataclass(frozen=True)
class WIDERFaceRow:
    """AP of one method on one subset.

    Args:
        method (str): Name of the method.
        subset (str): Name of the subset or slice.
        num_faces (int): Number of faces of the subset.
        ap (float): Average precision in [0, 1]; NaN if there are no faces.
        low (float, optional): Lower bound of the 95 % interval; None without bootstrap. Defaults to None.
        high (float, optional): Upper bound of the 95 % interval. Defaults to None.
    """

    method: str
    subset: str
    num_faces: int
    ap: float
    low: Optional[float] = None
    high: Optional[float] = None


@dataclass(frozen=True)
class WIDERFaceComparison(PairedDifference):
    """Paired difference of two methods on one subset, with the names of both."""

    baseline: str
    method: str
    subset: str


def summarize(method: str,
              results: Mapping[str, WIDERFaceResult],
              samples: Optional[Mapping[str, np.ndarray]] = None) -> List[WIDERFaceRow]:
    """Summarize the results of one method.

    Args:
        method (str): Name of the method.
        results (Mapping[str, WIDERFaceResult]): Results by subset.
        samples (Mapping[str, np.ndarray], optional): Bootstrap APs by subset, for the intervals.

    Returns:
        list[WIDERFaceRow]: One row per subset.
    """
    intervals = {name: percentile_interval(samples[name]) if samples else (None, None) for name in results}
    return [WIDERFaceRow(method, name, result.num_faces, result.ap, *intervals[name])
            for name, result in results.items()]


def compare(results: Mapping[str, Mapping[str, WIDERFaceResult]], samples: Mapping[str, Mapping[str, np.ndarray]],
            methods: Sequence[str]) -> List[WIDERFaceComparison]:
    """Compare methods with the first of them on every subset.

    Args:
        results (Mapping): Results by method and subset.
        samples (Mapping): Bootstrap APs by method and subset, drawn with the same seed.
        methods (Sequence[str]): Names of the baseline and of the methods to compare with it.

    Returns:
        list[WIDERFaceComparison]: One comparison per method other than the baseline and subset.
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
    """Build a terminal table of AP in percent, with one line per subset and one column per method.

    Args:
        rows (Sequence[WIDERFaceRow]): Rows of any number of methods.

    Returns:
        rich.table.Table: The table.
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
    """Build a terminal table of differences in points of AP, with 95 % intervals and p-values.

    Args:
        comparisons (Sequence[WIDERFaceComparison]): Comparisons from :func:`compare`; each pair of methods gets a
            section.

    Returns:
        rich.table.Table: The table.
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
    """Write rows to a CSV file, with AP as a fraction.

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
    """Write rows, comparisons and all precision-recall curves to a JSON file, with NaN as null.

    Args:
        path (str or Path): File to write or replace.
        rows (Sequence[WIDERFaceRow]): Rows.
        results (Mapping): Results by method and subset, for the curves.
        comparisons (Sequence[WIDERFaceComparison]): Comparisons. Defaults to ().
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
        file.write(dump_json(content))
