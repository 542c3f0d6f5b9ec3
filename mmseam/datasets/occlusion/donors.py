"""Pictures of other images to cover boxes with, and the random generators of an image."""
import zlib
from pathlib import Path
from typing import List, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from ..transforms import LoadIntactImage
from ..transforms.box_occluders import clip_box
from ..transforms.occluder_shapes import Donors
from .samples import BoxSample

_MOST_IMAGES = 64
_MOST_PIXELS = 256  # longer side of a picture
_MIN_FACE = 16  # pixels; smaller faces show little of a face
_TRIES = 20


def image_generator(seed: int, path: Union[str, Path], kind: str = '') -> np.random.Generator:
    """Create the random generator for one image and kind of occluder.

    It depends on the name of the file, not on its folder, on other images or on their order.

    Args:
        seed (int): Seed of the benchmark, at least 0.
        path (str or Path): The image.
        kind (str): Kind of occluder. Defaults to ''.

    Returns:
        np.random.Generator: The generator.
    """
    return np.random.default_rng([seed, zlib.crc32(Path(path).name.encode()), zlib.crc32(kind.encode())])


class DonorPool:
    """Backgrounds and faces cut from up to 64 images of a dataset, one of each per image.

    The seed determines the images, whatever their order; no picture keeps more than 256 x 256
    pixels, so the pool takes a few MB. Backgrounds overlap the annotated boxes as little as possible.

    Args:
        samples (Sequence[BoxSample]): The dataset.
        seed (int): Seed. Defaults to 0.

    Raises:
        OSError: An image cannot be read; the message names it.
    """

    def __init__(self, samples: Sequence[BoxSample], seed: int = 0) -> None:
        by_name = sorted(samples, key=lambda sample: (sample.path.name, str(sample.path)))
        chosen = np.random.default_rng(seed).permutation(len(by_name))[:_MOST_IMAGES]
        load = LoadIntactImage()
        self._textures: List[Tuple[Path, np.ndarray]] = []
        self._faces: List[Tuple[Path, np.ndarray]] = []
        for sample in (by_name[index] for index in chosen):
            image = load.transform(dict(img_path=str(sample.path)))['img']
            rng = image_generator(seed, sample.path)
            self._textures.append((sample.path, _cut_background(image, sample.boxes, rng)))
            face = _cut_face(image, sample.boxes[~sample.ignore], rng)
            if face is not None:
                self._faces.append((sample.path, face))

    def without(self, path: Path) -> Donors:
        """Return the pictures that are not of this image.

        Args:
            path (Path): The image to cover.

        Returns:
            Donors: The pictures.
        """
        return Donors(*([picture for origin, picture in pictures if origin != path]
                        for pictures in (self._textures, self._faces)))


def _cut_background(image: np.ndarray, boxes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut out the one of several random squares that overlaps the boxes least."""
    height, width = image.shape[:2]
    side = min(_MOST_PIXELS, max(min(height, width) // 2, 1))
    corners = (rng.random((_TRIES, 2)) * [width - side + 1, height - side + 1]).astype(int)
    squares = np.concatenate([corners, corners + side], 1)
    low = np.maximum(squares[:, None, :2], boxes[None, :, :2])
    high = np.minimum(squares[:, None, 2:], boxes[None, :, 2:])
    overlap = (high - low).clip(0).prod(2).sum(1)
    left, top = corners[np.argmin(overlap)]
    return image[top:top + side, left:left + side].copy()


def _cut_face(image: np.ndarray, boxes: np.ndarray, rng: np.random.Generator) -> Optional[np.ndarray]:
    """Cut out a random face of at least 16 pixels, or the largest one if all are smaller."""
    clipped = [np.rint(clip_box(box, image.shape[:2])).astype(int) for box in boxes]
    sides = [min(x2 - x1, y2 - y1) for x1, y1, x2, y2 in clipped]
    if not sides or max(sides) < 1:
        return None
    large = np.flatnonzero(np.array(sides) >= min(_MIN_FACE, max(sides)))
    x1, y1, x2, y2 = clipped[rng.choice(large)]
    face, scale = image[y1:y2, x1:x2], _MOST_PIXELS / max(x2 - x1, y2 - y1)
    if scale >= 1:
        return face.copy()
    size = max(round(scale * (x2 - x1)), 1), max(round(scale * (y2 - y1)), 1)
    return cv2.resize(face, size, interpolation=cv2.INTER_AREA)
