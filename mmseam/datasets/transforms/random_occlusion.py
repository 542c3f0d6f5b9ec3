"""Occlusion as augmentation: cover a random part of some boxes."""
import random
from typing import Sequence, Tuple

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmseam.registry import TRANSFORMS

from .box_occluders import check_request, make_occluder, paint
from .occluder_shapes import KINDS, Donors


@TRANSFORMS.register_module()
class RandomOcclusion(BaseTransform):
    """Cover a random fraction of random boxes with the occluders of the occlusion benchmark.

    Boxes and labels stay as they are: the object is to be found behind its occluder. Place the transform after mosaic
    and affine, so that a box has its final size, and before the flip. Textures and faces are cut from the sample
    itself (a mosaic holds four images), so the transform keeps no state and a resumed training draws the same numbers.

    Required Keys:

    - img (np.uint8, BGR)
    - gt_bboxes (boxes of MMDetection, or an array of shape (N, 4))
    - gt_ignore_flags (optional; ignored boxes are not covered)

    Modified Keys: img.

    Args:
        prob (float): Probability of covering a box. Defaults to 0.5.
        fractions (Tuple[float, float]): Range of the covered fraction of a box. Defaults to (0.1, 0.6).
        kinds (Sequence[str]): Kinds of occluders, each as likely as the others. ``'face'`` without another face in the
            sample becomes ``'texture'``. Defaults to all: ``'lower'``, ``'upper'``, ``'block'``, ``'bars'``,
            ``'texture'``, ``'face'``.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(self, prob: float = 0.5, fractions: Tuple[float, float] = (0.1, 0.6),
                 kinds: Sequence[str] = KINDS) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be between 0 and 1, not {prob}')
        if len(fractions) != 2 or fractions[0] > fractions[1]:
            raise ValueError(f'fractions must be the smallest and the largest fraction, not {fractions}')
        if isinstance(kinds, str) or not kinds:
            raise ValueError(f'kinds must be a list of kinds, not {kinds!r}')
        for kind in kinds:
            for fraction in fractions:
                check_request(kind, fraction)
        self.prob = prob
        self.fractions = tuple(fractions)
        self.kinds = tuple(kinds)

    @cache_randomness
    def _seed(self) -> int:
        return random.getrandbits(63)

    def transform(self, results: dict) -> dict:
        """Cover boxes.

        Args:
            results (dict): Result dict of the pipeline.

        Returns:
            dict: The same dict; ``img`` is a new array if a box is covered.
        """
        boxes = np.asarray(getattr(results['gt_bboxes'], 'tensor', results['gt_bboxes']), np.float64)
        ignored = np.asarray(results.get('gt_ignore_flags', np.zeros(len(boxes))), bool)
        rng = np.random.default_rng(self._seed())
        chosen = np.flatnonzero(~ignored & (rng.random(len(boxes)) < self.prob))
        if len(chosen):
            original, results['img'] = results['img'], results['img'].copy()
            for index in chosen:
                self._cover(original, results['img'], boxes, ignored, index, rng)
        return results

    def _cover(self, original: np.ndarray, image: np.ndarray, boxes: np.ndarray, ignored: np.ndarray, index: int,
               rng: np.random.Generator) -> None:
        fraction, kind = rng.uniform(*self.fractions), self.kinds[rng.integers(len(self.kinds))]
        donors = Donors([original])
        if kind == 'face':
            faces = _other_faces(original, boxes[~ignored & (np.arange(len(boxes)) != index)])
            donors, kind = Donors([original], faces), 'face' if faces else 'texture'
        occluder = make_occluder(boxes[index], image.shape[:2], fraction, kind, rng, donors)
        if occluder is not None:
            paint(image, occluder)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob}, fractions={self.fractions}, kinds={self.kinds})'


def _other_faces(image: np.ndarray, boxes: np.ndarray) -> list:
    """Cut out the boxes inside the image that have at least one pixel."""
    corners = np.rint(boxes.clip(0, [image.shape[1], image.shape[0]] * 2)).astype(int)
    faces = (image[y1:y2, x1:x2] for x1, y1, x2, y2 in corners)
    return [face for face in faces if face.size]
