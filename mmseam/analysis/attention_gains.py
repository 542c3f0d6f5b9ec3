"""Channel gains of SEAM and MultiSEAM on covered and uncovered versions of the same faces."""
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn
from tqdm import tqdm

from mmseam.datasets.occlusion import BoxSample, check_request, clip_box
from mmseam.evaluation.functional.figure_style import COLORS, save_figure
from mmseam.inference.detector import load_detector
from mmseam.inference.media import read_image
from mmseam.inference.trained_detector import load_trained_detector
from mmseam.models.plugins.channel_gate import ExponentialChannelGate
from mmseam.utils.atomic_write import atomic_write
from mmseam.utils.config import load_config

from .occlusion_curves.curves import cover_sample, donor_pool

_CONTEXT = 1.0  # sides of the box to show on each side of it


class LayerGains(NamedTuple):
    """Gains of one layer.

    Args:
        name (str): Path of the layer in the model.
        uncovered (np.ndarray): Gains of N uncovered faces, shape (N, C).
        covered (np.ndarray): Gains of the same faces, covered, shape (N, C).
    """
    name: str
    uncovered: np.ndarray
    covered: np.ndarray


def draw_gains(config: str, checkpoint: str, samples: Sequence[BoxSample], out_dir: Union[str, Path],
               kind: str = 'lower', fraction: float = 0.6, size: int = 320, max_faces: int = 50, seed: int = 0) -> str:
    """Measure the gains of a trained detector, and write ``gains.png``, ``gains.pdf`` and ``gains.npz``.

    Args:
        config (str): Config file, or name of a config.
        checkpoint (str): Its checkpoint.
        samples (Sequence[BoxSample]): Images and boxes.
        out_dir (str or Path): Folder to write to.
        kind (str): Kind of occluder. Defaults to 'lower'.
        fraction (float): Covered fraction. Defaults to 0.6.
        size (int): Longer side of the cut-out faces in pixels. Defaults to 320.
        max_faces (int): Number of faces, the largest of the dataset. Defaults to 50.
        seed (int): Seed of the occluders. Defaults to 0.

    Returns:
        str: One line per layer: mean gains, and how much the gain of a channel changes when a face is covered, next to
        how much it differs between uncovered faces (standard deviation).

    Raises:
        ValueError, OSError: As for :func:`measure_gains` and ``load_detector``.
    """
    check_request(kind, fraction)
    preprocess = load_detector(config, checkpoint, 'cpu').backend.preprocessor
    model, _ = load_trained_detector(load_config(config), checkpoint)
    with tqdm(unit='face') as bar:
        layers = measure_gains(model, preprocess, samples, kind, fraction, size, max_faces, seed, bar.update)
    for suffix in ('.png', '.pdf'):
        plot_gains(layers, Path(out_dir, f'gains{suffix}'), f'{100 * fraction:g} % covered ({kind})')
    with atomic_write(Path(out_dir, 'gains.npz'), 'wb') as file:
        np.savez(file, **{f'{layer.name}/{name}': getattr(layer, name) for layer in layers
                          for name in ('uncovered', 'covered')})
    return '\n'.join(map(_describe, layers))


def _describe(layer: LayerGains) -> str:
    change = np.abs(layer.covered - layer.uncovered).mean()
    return (f'{layer.name}: mean gain {layer.uncovered.mean():.3f} uncovered, {layer.covered.mean():.3f} covered; mean '
            f'change of a channel {change:.4f}, spread over faces {layer.uncovered.std(0).mean():.4f}')


def measure_gains(model: nn.Module,
                  preprocess: Callable[[Sequence[np.ndarray]], Any],
                  samples: Sequence[BoxSample],
                  kind: str = 'lower',
                  fraction: float = 0.6,
                  size: int = 320,
                  max_faces: int = 50,
                  seed: int = 0,
                  progress: Optional[Callable[[], Any]] = None) -> List[LayerGains]:
    """Measure the gains of all SEAM and MultiSEAM layers on single faces.

    Each face is cut out with its surroundings, three times as wide and high as its box, because a gain is one number
    for the whole map: on complete images, the faces would hardly matter.

    Args:
        model (nn.Module): A detector whose layers are not fused, see ``load_trained_detector``.
        preprocess (Callable): Converts images to an ``ImageBatch``.
        samples (Sequence[BoxSample]): Images and boxes.
        kind (str): Kind of occluder. Defaults to 'lower'.
        fraction (float): Covered fraction. Defaults to 0.6.
        size (int): Longer side of the cut-out faces in pixels. Defaults to 320.
        max_faces (int): Number of faces, the largest of the dataset. Defaults to 50.
        seed (int): Seed of the occluders. Defaults to 0.
        progress (Callable, optional): Called after each face. Defaults to None.

    Returns:
        List[LayerGains]: Gains of each layer, in the order of the model.

    Raises:
        ValueError: The model has no such layer, or there is no face.
        OSError: An image cannot be read; the message names it.
    """
    gates = {name: module for name, module in model.named_modules() if isinstance(module, ExponentialChannelGate)}
    if not gates:
        raise ValueError('the model has no SEAM or MultiSEAM layer')
    rows: Dict[str, List[np.ndarray]] = {name: [] for name in gates}
    hooks = [gate.register_forward_hook(lambda _, inputs, gain, name=name: rows[name].append(gain.cpu().numpy()))
             for name, gate in gates.items()]
    try:
        for pair in face_pairs(samples, kind, fraction, size, max_faces, seed):
            with torch.inference_mode():
                batch = preprocess(pair)
                model(torch.from_numpy(batch.inputs).to(next(model.parameters()).device), mode='tensor')
            if progress is not None:
                progress()
    finally:
        for hook in hooks:
            hook.remove()
    return [LayerGains(name.rpartition('.')[0], *np.stack(gains, 1)) for name, gains in rows.items()]


def face_pairs(samples: Sequence[BoxSample], kind: str, fraction: float, size: int, max_faces: int,
               seed: int) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """Cut out the largest faces of a dataset, uncovered and covered.

    Args:
        samples (Sequence[BoxSample]): Images and boxes.
        kind (str): Kind of occluder.
        fraction (float): Covered fraction.
        size (int): Longer side of the images in pixels.
        max_faces (int): Number of faces.
        seed (int): Seed of the occluders.

    Yields:
        tuple: The face uncovered and covered, both (h, w, 3), BGR.

    Raises:
        ValueError: There is no face.
    """
    conditions = [(kind, float(fraction))]
    pool = donor_pool(samples, conditions, seed)
    for sample in _with_largest_faces(samples, max_faces):
        image, (covered, ) = read_image(sample.path), cover_sample(sample, conditions, seed, pool).values()
        for box in sample.boxes[~sample.ignore]:
            yield _cut_out(image, box, size), _cut_out(covered.image, box, size)


def _with_largest_faces(samples: Sequence[BoxSample], number: int) -> List[BoxSample]:
    """Return the samples with the largest faces only; the other boxes of these images are ignored."""
    heights = np.concatenate([np.where(sample.ignore, 0, sample.boxes[:, 3] - sample.boxes[:, 1])
                              for sample in samples] or [np.zeros(0)])
    chosen = np.zeros(len(heights), bool)
    chosen[np.argsort(-heights, kind='stable')[:number]] = True
    chosen &= heights > 0
    if not chosen.any():
        raise ValueError('there is no face in the data')
    parts = np.split(chosen, np.cumsum([len(sample.boxes) for sample in samples])[:-1])
    return [BoxSample(sample.path, sample.boxes, ~part) for sample, part in zip(samples, parts) if part.any()]


def _cut_out(image: np.ndarray, box: np.ndarray, size: int) -> np.ndarray:
    margin = _CONTEXT * np.tile(box[2:] - box[:2], 2) * [-1, -1, 1, 1]
    left, top, right, bottom = np.rint(clip_box(box + margin, image.shape[:2])).astype(int)
    part = image[top:max(bottom, top + 1), left:max(right, left + 1)]
    scale = size / max(part.shape[:2])
    sides = max(round(scale * part.shape[1]), 1), max(round(scale * part.shape[0]), 1)
    return cv2.resize(part, sides, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def plot_gains(layers: Sequence[LayerGains], path: Union[str, Path], label: str) -> None:
    """Plot the gains of each layer by channel, sorted by the mean gain of the uncovered faces.

    Args:
        layers (Sequence[LayerGains]): Gains.
        path (str or Path): Image file to write; its suffix determines the format.
        label (str): Description of the covered faces.
    """
    columns = min(3, len(layers))
    rows = -(-len(layers) // columns)
    figure = Figure(figsize=(2.6 * columns, 1.9 * rows + 0.5), layout='constrained')
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, layer in zip(panels, layers):
        order = np.argsort(layer.uncovered.mean(0), kind='stable')
        for gains, color, name in ((layer.uncovered, COLORS[0], 'uncovered'), (layer.covered, COLORS[1], label)):
            mean, deviation = gains.mean(0)[order], gains.std(0)[order]
            panel.fill_between(range(len(order)), mean - deviation, mean + deviation, color=color, alpha=.2,
                               linewidth=0)
            panel.plot(mean, color=color, linewidth=1, label=name)
        panel.set_title(layer.name.replace('bbox_head.head_module.', ''), fontsize=7.5)
        panel.tick_params(labelsize=7)
        panel.grid(color='0.9', linewidth=.6)
    for panel in panels[len(layers):]:
        panel.set_visible(False)
    figure.supxlabel('Channel, sorted by its gain on uncovered faces', fontsize=8.5)
    figure.supylabel('Gain', fontsize=8.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside upper center', ncols=2, fontsize=8.5, frameon=False)
    save_figure(figure, path)
