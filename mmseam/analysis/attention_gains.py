"""Channel gains of SEAM and MultiSEAM on covered and uncovered versions of the same faces."""
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Union

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn
from tqdm import tqdm

from mmseam.datasets.occlusion import BoxSample, check_request
from mmseam.evaluation.functional.figure_style import COLORS, save_figure
from mmseam.models.plugins.channel_gate import ExponentialChannelGate
from mmseam.utils.atomic_write import atomic_write

from .face_pairs import face_pairs, load_unfused


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
    model, preprocess = load_unfused(config, checkpoint)
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

    Each face is cut out with its surroundings, because a gain is one number for the whole map: on complete images, the
    faces would hardly matter.

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
                batch = preprocess([pair.uncovered, pair.covered])
                model(torch.from_numpy(batch.inputs).to(next(model.parameters()).device), mode='tensor')
            if progress is not None:
                progress()
    finally:
        for hook in hooks:
            hook.remove()
    return [LayerGains(name.rpartition('.')[0], *np.stack(gains, 1)) for name, gains in rows.items()]


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
