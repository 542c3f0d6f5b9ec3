"""Tables and files of the occlusion benchmark."""
import csv
from dataclasses import asdict
from pathlib import Path
from typing import Any, List, Sequence, Union

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mmseam.evaluation.functional.occlusion_scores import MEAN, OcclusionDifference, OcclusionPoint
from mmseam.utils.atomic_write import atomic_write
from mmseam.utils.strict_json import dump_json

#: Scores that are printed, with their titles.
PRINTED = dict(recall='Recall at IoU 0.5', AP='AP (IoU 0.5 to 0.95)')


def write_rows(path: Union[str, Path], rows: Sequence[Union[OcclusionPoint, OcclusionDifference]]) -> None:
    """Write rows to a CSV file.

    Args:
        path (str or Path): The file.
        rows (Sequence): At least one row.
    """
    with atomic_write(path, newline='') as file:
        writer = csv.DictWriter(file, fieldnames=list(asdict(rows[0])))
        writer.writeheader()
        writer.writerows(map(asdict, rows))


def write_result(path: Union[str, Path], protocol: dict, coverage: List[dict], points: Sequence[OcclusionPoint],
                 differences: Sequence[OcclusionDifference]) -> None:
    """Write everything to a JSON file, with NaN as null.

    Args:
        path (str or Path): The file.
        protocol (dict): How the result was measured.
        coverage (List[dict]): Measured fractions, see
            :func:`~mmseam.analysis.occlusion_curves.coverage.measure_conditions`.
        points (Sequence[OcclusionPoint]): Scores.
        differences (Sequence[OcclusionDifference]): Differences to the first model.
    """
    content: Any = dict(protocol=protocol, coverage=coverage, results=list(map(asdict, points)),
                        differences=list(map(asdict, differences)))
    with atomic_write(path) as file:
        file.write(dump_json(content))


def print_result(points: Sequence[OcclusionPoint], differences: Sequence[OcclusionDifference],
                 coverage: Sequence[dict], console: Console) -> None:
    """Print recall and AP, the differences to the first model, and how exactly the boxes are covered.

    Args:
        points (Sequence[OcclusionPoint]): Scores.
        differences (Sequence[OcclusionDifference]): Differences to the first model; may be empty.
        coverage (Sequence[dict]): Measured fractions.
        console (Console): Where to print.
    """
    for score, title in PRINTED.items():
        console.print(score_table(points, score, f'{title} in %, with 95 % intervals, by covered fraction'))
        if differences:
            console.print(difference_table(differences, score))
    measured = [row for row in coverage if row['boxes']]
    if measured:
        console.print(f'largest difference between covered and requested fraction: '
                      f'{max(row["largest_error"] for row in measured):.4f}; share of boxes that occluders of '
                      f'overlapping boxes cover by over .02 more: up to {max(row["over"] for row in measured):.3f}')


def score_table(points: Sequence[OcclusionPoint], score: str, title: str) -> Table:
    """Build a terminal table of one score in percent, with one line per kind and model and one column per fraction.

    Args:
        points (Sequence[OcclusionPoint]): Scores of any number of models.
        score (str): One of :data:`~mmseam.evaluation.functional.occlusion_scores.SCORES`.
        title (str): Title of the table.

    Returns:
        rich.table.Table: The table.
    """
    chosen = [point for point in points if point.score == score]
    fractions = sorted({point.fraction for point in chosen})
    table = Table(title=title, box=box.SIMPLE)
    table.add_column('covered')
    table.add_column('model', overflow='fold')
    for fraction in fractions:
        table.add_column(f'{100 * fraction:g} %', justify='right')
    cells = {(point.kind, point.model, point.fraction): point for point in chosen}
    for kind in dict.fromkeys(point.kind for point in chosen):
        for model in dict.fromkeys(point.model for point in chosen):
            row = (cells[kind, model, fraction] for fraction in fractions)
            table.add_row(kind, escape(model), *(_cell(point.value, point.low, point.high, '') for point in row))
        table.add_section()
    return table


def difference_table(differences: Sequence[OcclusionDifference], score: str) -> Table:
    """Build a terminal table of the differences to the baseline in points, averaged over kinds if there are several.

    Args:
        differences (Sequence[OcclusionDifference]): Differences of any number of models.
        score (str): One of :data:`~mmseam.evaluation.functional.occlusion_scores.SCORES`.

    Returns:
        rich.table.Table: The table.
    """
    kinds = {item.kind for item in differences}
    chosen = [item for item in differences if item.score == score and item.kind in ({MEAN} if MEAN in kinds else kinds)]
    table = Table(title=f'{score}, difference to {escape(chosen[0].baseline)} in points (paired bootstrap over images)',
                  box=box.SIMPLE)
    table.add_column('model', overflow='fold')
    for title in ('covered', 'difference', 'p'):
        table.add_column(title, justify='right', no_wrap=True)
    for item in chosen:
        table.add_row(escape(item.model), f'{100 * item.fraction:g} %',
                      _cell(item.difference, item.low, item.high, '+'), f'{item.p_value:.3f}')
    return table


def _cell(value: float, low: float, high: float, sign: str) -> str:
    if value != value:
        return '–'
    return escape(f'{100 * value:{sign}.1f} [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]')
