"""Plots of the occlusion benchmark, and pictures of its occluders."""
from pathlib import Path
from typing import List, Sequence, Union

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmseam.datasets.occlusion import BoxSample, clip_box
from mmseam.evaluation.functional.figure_style import COLORS, LINE_STYLES, save_figure
from mmseam.evaluation.functional.occlusion_scores import MEAN, OcclusionPoint

from .curves import Condition, cover_sample, donor_pool

#: Titles of the kinds of occluders in plots.
TITLES = dict(lower='lower part', upper='upper part', block='random block', bars='vertical bars',
              texture="another image's texture", face='another face')
_MARKERS = 'osD^vPX*'
_COLUMNS = 4
_CELL = 330, 1.1  # longer side of an example, in pixels and in inches on paper


def plot_curves(points: Sequence[OcclusionPoint], score: str, label: str, path: Union[str, Path]) -> None:
    """Plot a score against the covered fraction, one panel per kind of occluder and one for their mean.

    Args:
        points (Sequence[OcclusionPoint]): Scores of any number of models.
        score (str): One of :data:`~mmseam.evaluation.functional.occlusion_scores.SCORES`.
        label (str): Label of the vertical axis.
        path (str or Path): Image file to write; its suffix determines the format.
    """
    chosen = [point for point in points if point.score == score]
    kinds = list(dict.fromkeys(point.kind for point in chosen))
    columns = min(_COLUMNS, len(kinds))
    rows = -(-len(kinds) // columns)
    figure = Figure(figsize=(1.8 * columns + 0.5, 1.8 * rows + 0.7), layout='constrained')
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, kind in zip(panels, kinds):
        _plot_kind(panel, [point for point in chosen if point.kind == kind])
        panel.set_title('mean of all kinds' if kind == MEAN else TITLES.get(kind, kind), fontsize=9.5)
    for panel in panels[len(kinds):]:
        panel.set_visible(False)
    for index, panel in enumerate(panels[:len(kinds)]):
        panel.tick_params(labelbottom=index + columns >= len(kinds), labelsize=8)
    figure.supxlabel('Covered fraction of each box', fontsize=10)
    figure.supylabel(label, fontsize=10)
    _add_legend(figure, *panels[0].get_legend_handles_labels())
    save_figure(figure, path)


def _add_legend(figure: Figure, handles: list, labels: List[str]) -> None:
    """Add a legend above the panels with as many columns as fit, at most three; many rows make the figure higher."""
    FigureCanvasAgg(figure)  # measures text
    for columns in range(min(3, len(labels)), 0, -1):
        legend = figure.legend(handles, labels, loc='outside upper center', ncols=columns, fontsize=9, frameon=False)
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()
    rows = -(-len(labels) // columns)
    figure.set_figheight(figure.get_figheight() + 0.18 * max(rows - 3, 0))


def _plot_kind(panel: Axes, points: List[OcclusionPoint]) -> None:
    for index, model in enumerate(dict.fromkeys(point.model for point in points)):
        own = sorted((point for point in points if point.model == model), key=lambda point: point.fraction)
        fractions, color = [point.fraction for point in own], COLORS[index % len(COLORS)]
        panel.fill_between(fractions, [point.low for point in own], [point.high for point in own], color=color,
                           alpha=0.15, linewidth=0)
        panel.plot(fractions, [point.value for point in own], color=color, linewidth=1.6, label=model, markersize=4,
                   marker=_MARKERS[index % len(_MARKERS)],
                   linestyle=LINE_STYLES[index // len(COLORS) % len(LINE_STYLES)])
    panel.set_ylim(0, 1)
    panel.grid(color='0.88', linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[['top', 'right']].set_visible(False)


# ======================== Examples ========================
def draw_examples(samples: Sequence[BoxSample], conditions: Sequence[Condition], seed: int, path: Union[str, Path],
                  image_name: str = '') -> None:
    """Draw the boxes of one image under every condition, one row per kind and one column per fraction.

    Args:
        samples (Sequence[BoxSample]): The dataset.
        conditions (Sequence[Condition]): Kinds and fractions.
        seed (int): Seed of the occluders.
        path (str or Path): Image file to write; its suffix determines the format.
        image_name (str): File name of the image. Defaults to '': the one with the largest boxes.

    Raises:
        ValueError: There is no image of this name, or no box.
    """
    kinds = list(dict.fromkeys(kind for kind, _ in conditions))
    fractions = sorted({fraction for _, fraction in conditions})
    chosen = _choose(samples, image_name)
    covered = cover_sample(chosen, conditions, seed, donor_pool(samples, conditions, seed))
    pictures = {condition: _example(picture.image, chosen) for condition, picture in covered.items()}
    height, width = next(iter(pictures.values())).shape[:2]
    scale = _CELL[1] / max(height, width)
    figure = Figure(figsize=(len(fractions) * (scale * width + .06) + .9, len(kinds) * (scale * height + .06) + .3),
                    layout='constrained')
    panels = figure.subplots(len(kinds), len(fractions), squeeze=False)
    for row, kind in enumerate(kinds):
        for column, fraction in enumerate(fractions):
            panel = panels[row, column]
            panel.imshow(pictures[kind, fraction] if fraction else pictures['', 0.0])
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
            if row == 0:
                panel.set_title(f'{100 * fraction:g} %', fontsize=8)
        panels[row, 0].set_ylabel(TITLES.get(kind, kind).replace("'s ", "'s\n"), fontsize=7.5)
    save_figure(figure, path)


def _choose(samples: Sequence[BoxSample], image_name: str) -> BoxSample:
    """Choose the named image, or the one whose smallest box is the largest, if possible one of several boxes."""
    named = [sample for sample in samples if not image_name or sample.path.name == image_name]
    if not named:
        raise ValueError(f'no image of the dataset is called {image_name}')
    sides = [(sample.boxes[:, 2:] - sample.boxes[:, :2])[~sample.ignore].min(1) for sample in named]
    best = max(range(len(named)), key=lambda index: (min(len(sides[index]), 2), sides[index].min(initial=np.inf)))
    if not len(sides[best]):
        raise ValueError(f'there is no box to cover{" in " if image_name else ""}{image_name}')
    return named[best]


def _example(image: np.ndarray, sample: BoxSample) -> np.ndarray:
    """Cut out the boxes with some surroundings, scale them to the size of an example and outline them, as RGB."""
    boxes = sample.boxes[~sample.ignore]
    margin = (boxes[:, 2:] - boxes[:, :2]).max() / 2
    left, top, right, bottom = clip_box([*boxes[:, :2].min(0) - margin, *boxes[:, 2:].max(0) + margin], image.shape[:2])
    part = image[int(top):int(np.ceil(bottom)), int(left):int(np.ceil(right))]
    scale = _CELL[0] / max(part.shape[:2])
    size = max(round(scale * part.shape[1]), 1), max(round(scale * part.shape[0]), 1)
    resized = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    picture = cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)
    shifted = scale * (boxes - [int(left), int(top)] * 2)
    for x1, y1, x2, y2 in np.rint(shifted).astype(int).tolist():
        cv2.rectangle(picture, (x1, y1), (x2, y2), (80, 230, 80), 1)
    return picture
