"""Plots of WIDER FACE results: precision-recall curves as on the benchmark's site, and AP by slice with intervals."""
from pathlib import Path
from typing import List, Mapping, Sequence, Tuple, Union

import numpy as np
from matplotlib.figure import Figure

from ..figure_style import COLORS, LINE_STYLES, save_figure
from .protocol import WIDERFaceResult
from .report import WIDERFaceRow


def plot_precision_recall(curves: Mapping[str, WIDERFaceResult], path: Union[str, Path], title: str) -> None:
    """Plot the precision-recall curves of all methods on one subset, best method first, labeled ``method-AP``.

    Args:
        curves (Mapping[str, WIDERFaceResult]): Result of each method on the subset.
        path (str or Path): Image file to write; its suffix determines the format.
        title (str): Name of the subset.
    """
    figure = Figure(figsize=(7.2, 4), layout='constrained')
    axes = figure.add_subplot()
    best_first = sorted(curves.items(), key=lambda item: -np.nan_to_num(item[1].ap))
    for index, (method, result) in enumerate(best_first):
        drawn = result.recall > 0  # precision is undefined before the first face is found
        axes.plot(result.recall[drawn], result.precision[drawn], linewidth=2.2, label=f'{method}-{result.ap:.3f}',
                  color=COLORS[index % len(COLORS)], linestyle=LINE_STYLES[index // len(COLORS) % len(LINE_STYLES)])
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel='Recall', ylabel='Precision')
    axes.set_title(title, fontsize=11)
    axes.set_xticks(np.linspace(0, 1, 11))
    axes.set_yticks(np.linspace(0, 1, 11))
    axes.grid(color='0.88', linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(loc='upper left', bbox_to_anchor=(1.01, 1), fontsize=9, frameon=False)
    save_figure(figure, path)


def plot_slices(rows: Sequence[WIDERFaceRow], path: Union[str, Path]) -> None:
    """Plot AP by slice as horizontal bars with 95 % intervals, grouped by attribute.

    Args:
        rows (Sequence[WIDERFaceRow]): Slices of any number of methods, in the same order for every method.
        path (str or Path): Image file to write; its suffix determines the format.
    """
    methods = list(dict.fromkeys(row.method for row in rows))
    slices = list(dict.fromkeys((row.subset, row.num_faces) for row in rows))
    positions = _bar_positions([name for name, _ in slices])
    thickness = 0.78 / len(methods)
    figure = Figure(figsize=(6.4, 1.0 + 0.27 * positions[-1] * max(1.0, 0.55 * len(methods))), layout='constrained')
    axes = figure.add_subplot()
    for index, method in enumerate(methods):
        own = [row for row in rows if row.method == method]
        shift = (index - (len(methods) - 1) / 2) * thickness
        axes.barh(positions + shift, [100 * row.ap for row in own], height=thickness, xerr=_error_bars(own),
                  color=COLORS[index % len(COLORS)], label=method,
                  error_kw=dict(ecolor='0.15', elinewidth=1, capsize=2))
    axes.set_yticks(positions, [f'{name}  ({faces:,} faces)' for name, faces in slices], fontsize=8.5)
    axes.set(xlim=(0, 100), ylim=(positions[-1] + 0.7, positions[0] - 0.7))
    axes.set_xlabel('AP (%)' if any(row.low is None for row in rows) else 'AP (%), 95 % interval')
    axes.tick_params(axis='y', length=0)
    axes.grid(axis='x', color='0.88', linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right', 'left']].set_visible(False)
    figure.legend(loc='outside upper center', ncols=min(3, len(methods)), fontsize=9, frameon=False)
    save_figure(figure, path)


def _bar_positions(names: List[str]) -> np.ndarray:
    """Compute the vertical position of each bar, with gaps between attributes (the first word of a name)."""
    words = [''.join(char if char.isalpha() else ' ' for char in name).split()[:1] for name in names]
    gaps = [0.0] + [0.5 if before != after else 0.0 for before, after in zip(words, words[1:])]
    return np.arange(len(names)) + np.cumsum(gaps)


def _error_bars(rows: Sequence[WIDERFaceRow]) -> Union[None, Tuple[List[float], List[float]]]:
    intervals = [(row.ap, row.low, row.high) for row in rows if row.low is not None and row.high is not None]
    if len(intervals) < len(rows):
        return None
    # A percentile interval need not contain the value itself; matplotlib rejects negative lengths.
    return ([max(0.0, 100 * (ap - low)) for ap, low, _ in intervals],
            [max(0.0, 100 * (high - ap)) for ap, _, high in intervals])
