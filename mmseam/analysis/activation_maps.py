"""Class activation maps of covered and uncovered versions of the same faces.

The maps are computed by pytorch-grad-cam, which mmyolo's demo uses, too. It and torchvision are optional.
"""
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Union

import cv2
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from tqdm import tqdm

from mmseam.datasets.occlusion import BoxSample, check_request
from mmseam.evaluation.functional.figure_style import save_figure
from mmseam.inference.preprocessing import ImageBatch

from .face_pairs import FacePair, face_pairs, load_unfused

#: Methods and their classes in pytorch-grad-cam.
METHODS = {'gradcam': 'GradCAM', 'hirescam': 'HiResCAM', 'layercam': 'LayerCAM', 'eigencam': 'EigenCAM'}
_SHOWN = 6  # rows of the picture


class PairMaps(NamedTuple):
    """Activation maps of one face.

    Args:
        pair (FacePair): The face.
        uncovered (np.ndarray): Map of the uncovered face, 0 to 1, float32 (H, W) like the images of the pair.
        covered (np.ndarray): Map of the covered face.
    """
    pair: FacePair
    uncovered: np.ndarray
    covered: np.ndarray


def draw_activation_maps(config: str, checkpoint: str, samples: Sequence[BoxSample], out_dir: Union[str, Path],
                         method: str = 'gradcam', kind: str = 'lower', fraction: float = 0.6, size: int = 320,
                         max_faces: int = 50, seed: int = 0) -> str:
    """Compute the activation maps of a trained detector, and write ``maps.png`` and ``maps.pdf``.

    Args:
        config (str): Config file, or name of a config.
        checkpoint (str): Its checkpoint.
        samples (Sequence[BoxSample]): Images and boxes.
        out_dir (str or Path): Folder to write to.
        method (str): Key of :data:`METHODS`. Defaults to 'gradcam'.
        kind (str): Kind of occluder. Defaults to 'lower'.
        fraction (float): Covered fraction. Defaults to 0.6.
        size (int): Longer side of the cut-out faces in pixels. Defaults to 320.
        max_faces (int): Number of faces, the largest of the dataset. Defaults to 50.
        seed (int): Seed of the occluders. Defaults to 0.

    Returns:
        str: Which part of the map lies in the box and in the hidden part of the face, before and after covering it.

    Raises:
        ImportError: pytorch-grad-cam or torchvision cannot be imported; the message says how to install them.
        ValueError, OSError: As for :func:`measure_maps` and ``load_detector``.
    """
    check_request(kind, fraction)
    model, preprocess = load_unfused(config, checkpoint)
    pairs = face_pairs(samples, kind, fraction, size, max_faces, seed)
    with tqdm(unit='face') as bar:
        maps = measure_maps(model, preprocess, pairs, method, bar.update)
    for suffix in ('.png', '.pdf'):
        plot_maps(maps[:_SHOWN], Path(out_dir, f'maps{suffix}'), f'{100 * fraction:g} % covered ({kind})')
    return '\n'.join([_describe('the box', maps, _box_mask), _describe('the hidden part', maps, _hidden_mask)])


def measure_maps(model: nn.Module, preprocess: Callable[[Sequence[np.ndarray]], ImageBatch], pairs: Sequence[FacePair],
                 method: str = 'gradcam', progress: Optional[Callable[[], Any]] = None) -> List[PairMaps]:
    """Compute the activation maps of the feature maps that the head of a detector gets.

    The score explained is the largest class logit of all points inside the box of the face. ``eigencam`` explains no
    score, but shows the first principal component of the feature maps.

    Args:
        model (nn.Module): A detector of one stage, whose layers are not fused, see ``load_trained_detector``.
        preprocess (Callable): Converts images to an ``ImageBatch``.
        pairs (Iterable[FacePair]): Faces, see :func:`~mmseam.analysis.face_pairs.face_pairs`.
        method (str): Key of :data:`METHODS`. Defaults to 'gradcam'.
        progress (Callable, optional): Called after each face. Defaults to None.

    Returns:
        List[PairMaps]: Maps of each face.

    Raises:
        ImportError: pytorch-grad-cam or torchvision cannot be imported; the message says how to install them.
    """
    cam_class = _import_method(method)
    layers: List[nn.Module] = []
    results = []
    for pair in pairs:
        batch = preprocess([pair.uncovered, pair.covered])
        inputs = torch.from_numpy(batch.inputs).to(next(model.parameters()).device)
        layers = layers or _feature_layers(model, inputs)
        with cam_class(_ClassLogits(model), layers) as cam:
            maps = cam(inputs, [_LargestInBox(inputs.shape[2:], pair.box, meta) for meta in batch.metas])
        results.append(PairMaps(pair, *(_in_image(values, meta) for values, meta in zip(maps, batch.metas))))
        if progress is not None:
            progress()
    return results


def _import_method(method: str) -> type:
    try:
        import pytorch_grad_cam  # optional
    except (ImportError, RuntimeError) as error:  # torchvision raises RuntimeError beside a foreign torch
        raise ImportError("class activation maps need grad-cam and the torchvision of the installed torch "
                          f"{torch.__version__} ({error}); try: pip install 'mmseam[cam]'") from None
    return getattr(pytorch_grad_cam, METHODS[method])


class _ClassLogits(nn.Module):
    """The largest class logit of each point of each level: (B, 3, H, W) to a list of (B, h, w), as tuples by image."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, inputs: Tensor) -> List[List[Tensor]]:
        levels = [logits.amax(1) for logits in self.detector(inputs, mode='tensor')[0]]
        return [list(image) for image in zip(*levels)]


class _LargestInBox:
    """The largest logit of all points, of all levels, inside a box."""

    def __init__(self, shape: Sequence[int], box: np.ndarray, meta: Dict[str, Any]) -> None:
        top, _, left, _ = meta.get('pad_param', (0, 0, 0, 0))
        self.shape = shape
        self.box = box * np.tile(meta['scale_factor'], 2) + [left, top, left, top]

    def __call__(self, levels: Sequence[Tensor]) -> Tensor:
        return torch.cat([self._inside(level) for level in levels]).max()

    def _inside(self, level: Tensor) -> Tensor:
        """Return the logits at the points inside; at the point closest to the center if there is none."""
        rows, columns = ((np.arange(number) + .5) * side / number for number, side in zip(level.shape, self.shape))
        chosen = [_between(rows, self.box[1], self.box[3]), _between(columns, self.box[0], self.box[2])]
        return level[np.ix_(*chosen)].flatten()


def _between(points: np.ndarray, start: float, stop: float) -> np.ndarray:
    inside, = np.nonzero((points >= start) & (points <= stop))
    return inside if len(inside) else np.abs(points - (start + stop) / 2).argmin(keepdims=True)


def _feature_layers(model: nn.Module, inputs: Tensor) -> List[nn.Module]:
    """Find the modules that compute the feature maps of neck, or backbone, which the head gets."""
    makers, features = {}, []
    hooks = [module.register_forward_hook(lambda module, _, output: makers.update({id(output): (module, output)}))
             for module in model.modules()]
    last = getattr(model, 'neck', None) or model.backbone
    hooks.append(last.register_forward_hook(lambda _, arguments, output: features.extend(output)))
    try:
        with torch.no_grad():
            model(inputs, mode='tensor')
    finally:
        for hook in hooks:
            hook.remove()
    return [makers[id(feature)][0] for feature in features]


def _in_image(values: np.ndarray, meta: Dict[str, Any]) -> np.ndarray:
    """Map an activation map from the network input to the original image."""
    top, bottom, left, right = (round(float(side)) for side in meta.get('pad_param', (0, 0, 0, 0)))
    height, width = values.shape
    part = values[top:height - bottom, left:width - right]
    return cv2.resize(part, meta['ori_shape'][::-1], interpolation=cv2.INTER_LINEAR)


def _describe(where: str, maps: Sequence[PairMaps], mask_of: Callable[[FacePair], np.ndarray]) -> str:
    shares = np.array([[_share(values, mask_of(pair)) for values in both] for pair, *both in maps])
    before, after = 100 * np.nanmean(shares, 0)
    return f'{before:.1f} % of the map lies in {where} uncovered, {after:.1f} % covered (mean of {len(maps)} faces)'


def _box_mask(pair: FacePair) -> np.ndarray:
    left, top, right, bottom = np.rint(pair.box).astype(int).clip(0)
    mask = np.zeros(pair.uncovered.shape[:2], bool)
    mask[top:bottom, left:right] = True
    return mask


def _hidden_mask(pair: FacePair) -> np.ndarray:
    return (pair.uncovered != pair.covered).any(2)


def _share(values: np.ndarray, mask: np.ndarray) -> float:
    return values[mask].sum() / values.sum() if values.any() else np.nan


def plot_maps(maps: Sequence[PairMaps], path: Union[str, Path], label: str) -> None:
    """Plot faces and their maps: a row for each face, uncovered on the left, covered on the right.

    Args:
        maps (Sequence[PairMaps]): Maps.
        path (str or Path): Image file to write; its suffix determines the format.
        label (str): Description of the covered faces.
    """
    figure = Figure(figsize=(6.4, 1.7 * len(maps) + 0.4), layout='constrained')
    panels = figure.subplots(len(maps), 4, squeeze=False)
    for row, line in zip(maps, panels):
        for image, values, (left, right) in ((row.pair.uncovered, row.uncovered, line[:2]),
                                             (row.pair.covered, row.covered, line[2:])):
            left.imshow(image[..., ::-1])
            right.imshow(image[..., ::-1])
            right.imshow(values, alpha=.55, vmin=0, vmax=1, cmap='viridis')
    for panel in panels.ravel():
        panel.set_axis_off()
    for panel, title in zip(panels[0], ('uncovered', 'map', label, 'map')):
        panel.set_title(title, fontsize=8)
    save_figure(figure, path)
