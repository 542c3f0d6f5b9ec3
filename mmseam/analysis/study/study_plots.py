"""Plots of a study."""
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmseam.analysis.occlusion_curves.curve_plots import plot_curves
from mmseam.evaluation.functional.figure_style import COLORS, save_figure
from mmseam.evaluation.functional.occlusion_scores import OcclusionPoint

from .study_data import ALL
from .study_description import Study

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
    variants = [variant for variant in study.variants if variant in summary['estimates']]
    names = list(study.evaluate)
    figure = Figure(figsize=(1 + 3.5 * len(names), 1 + 0.4 * len(variants)), layout='constrained')
    for panel, name in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names):
        for row, variant in enumerate(variants):
            value = summary['estimates'][variant].get(name, {}).get(ALL, {}).get('AP')
            if value is not None:
                _plot_estimate(panel, row, value)
        panel.set(title=name, xlabel='AP (%)', yticks=range(len(variants)),
                  yticklabels=[study.label(variant) for variant in variants])
        panel.grid(axis='x', color='0.88', linewidth=0.8)
        panel.spines[['top', 'right']].set_visible(False)
    panel.invert_yaxis()  # of all panels
    save_figure(figure, path)
    return path


def _plot_estimate(panel: Axes, row: int, value: dict) -> None:
    """Plot the interval over images, the mean and the seeds in a row."""
    color = COLORS[row % len(COLORS)]
    panel.plot([100 * bound for bound in value['over_images']], [row, row], color=color, linewidth=2, alpha=0.5)
    panel.plot([100 * value['mean']], [row], '|', color=color, markersize=14, markeredgewidth=2)
    panel.plot([100 * ap for ap in value['seeds'].values()], [row] * len(value['seeds']), '.', color=color)


def plot_occlusion(study: Study, summary: Dict[str, Any], name: str, metric: str, path: Path) -> Path:
    """Plot a metric against the covered fraction, with one panel for each kind of occluder and one for their mean.

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
    plot_curves(list(_points(study, summary, name, metric)), metric, OCCLUSION_METRICS[metric], path)
    return path


def _points(study: Study, summary: Dict[str, Any], name: str, metric: str) -> Iterator[OcclusionPoint]:
    for variant, sets in summary['occlusion_estimates'].items():
        for kind, fractions in sets.get(name, {}).get(metric, {}).items():
            for fraction, value in fractions.items():
                yield OcclusionPoint(study.label(variant), kind, float(fraction), metric, value['mean'], *_band(value))


def _band(value: dict) -> Tuple[float, float]:
    low, high = value['over_images']
    spread = value['spread'] or 0
    return (low, high) if np.isfinite(low) else (value['mean'] - spread, value['mean'] + spread)
