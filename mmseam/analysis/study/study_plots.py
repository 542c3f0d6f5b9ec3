"""Plots of a study."""
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np

from mmseam.utils.atomic_write import atomic_files

from .study_data import ALL
from .study_file import Study

_DPI = 200
OCCLUSION_METRICS = dict(AP50='AP at IoU .5', recall50='recall at IoU .5')


def plot_average_precision(study: Study, summary: Dict[str, Any], path: Path) -> Path:
    """Plot the AP of each variant: seeds as dots, the mean and its interval over images as a bar.

    Args:
        study (Study): The study.
        summary (dict): From :func:`~mmseam.analysis.study.study_statistics.summarize`.
        path (Path): PNG file to write.

    Returns:
        Path: The file.
    """
    from matplotlib.figure import Figure  # takes half a second to import

    variants = [variant for variant in study.variants if variant in summary['estimates']]
    names = list(study.evaluate)
    figure = Figure(figsize=(1 + 3.5 * len(names), 1 + 0.4 * len(variants)), layout='constrained')
    for axes, name in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names):
        for row, variant in enumerate(variants):
            value = summary['estimates'][variant].get(name, {}).get(ALL, {}).get('AP')
            if value is not None:
                low, high = (100 * bound for bound in value['over_images'])
                axes.plot([low, high], [row, row], color=f'C{row}', linewidth=2, alpha=0.5)
                axes.plot([100 * value['mean']], [row], '|', color=f'C{row}', markersize=14, markeredgewidth=2)
                axes.plot([100 * ap for ap in value['seeds'].values()], [row] * len(value['seeds']), '.',
                          color=f'C{row}')
        axes.set(title=name, xlabel='AP (%): seeds, mean, 95 % over images', yticks=range(len(variants)),
                 yticklabels=[study.label(variant) for variant in variants])
        axes.grid(axis='x', alpha=0.3)
        axes.invert_yaxis()
    return _save(figure, path)


def plot_occlusion(study: Study, summary: Dict[str, Any], name: str, metric: str, path: Path) -> Path:
    """Plot a metric against the covered fraction, an axes for each kind of occluder and one for their mean.

    Bands are intervals over images for the recall, and plus and minus a standard deviation over seeds for the AP.

    Args:
        study (Study): The study.
        summary (dict): From :func:`~mmseam.analysis.study.study_statistics.summarize`.
        name (str): Evaluation set.
        metric (str): ``AP50`` or ``recall50``.
        path (Path): PNG file to write.

    Returns:
        Path: The file.
    """
    from matplotlib.figure import Figure

    tables = {variant: sets[name][metric] for variant, sets in summary['occlusion_estimates'].items() if name in sets}
    kinds = list(next(iter(tables.values())))
    columns = min(4, len(kinds))
    rows = -(-len(kinds) // columns)
    figure = Figure(figsize=(2.6 * columns, 0.6 + 2.4 * rows), layout='constrained')
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, kind in zip(grid, kinds):
        for number, (variant, table) in enumerate(tables.items()):
            points = table[kind]
            bounds = 100 * np.array([_band(point) for point in points.values()])
            fractions = [float(fraction) for fraction in points]
            axes.plot(fractions, [100 * point['mean'] for point in points.values()], '.-', color=f'C{number}',
                      label=study.label(variant))
            axes.fill_between(fractions, *bounds.T, color=f'C{number}', alpha=0.12, linewidth=0)
        axes.set(title='mean of all kinds' if kind == 'mean' else kind)
        axes.grid(alpha=0.3)
    for axes in grid[len(kinds):]:
        axes.set_axis_off()
    figure.supxlabel('covered fraction of the box')
    figure.supylabel(f'{OCCLUSION_METRICS[metric]} (%)')
    figure.legend(*grid[0].get_legend_handles_labels(), loc='outside upper center', ncols=3)
    return _save(figure, path)


def _band(point: dict) -> Tuple[float, float]:
    low, high = point['over_images']
    spread = point['spread'] or 0
    return (low, high) if np.isfinite(low) else (point['mean'] - spread, point['mean'] + spread)


def _save(figure: Any, path: Path) -> Path:
    with atomic_files(path) as temporary:
        figure.savefig(temporary, dpi=_DPI)
    return path
