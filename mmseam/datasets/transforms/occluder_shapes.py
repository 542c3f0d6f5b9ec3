"""Shapes and contents of occluders: the rectangles that cover a box, and what they show."""
from typing import Dict, NamedTuple, Sequence, Tuple

import cv2
import numpy as np

#: Kinds of occluders: plain color over the lower part, the upper part, a random rectangle or vertical bars; a rectangle
#: of another image's background; another face.
KINDS = ('lower', 'upper', 'block', 'bars', 'texture', 'face')

_MAX_ASPECT_CHANGE = 2.0  # of a random rectangle, compared with its box
_MOST_BARS = 5
_MIN_PERIOD = 4.0  # pixels from one bar to the next; finer bars would be half-transparent


class Donors(NamedTuple):
    """Pictures to cut occluders from.

    Args:
        textures (Sequence[np.ndarray]): Backgrounds (h, w, 3), uint8.
        faces (Sequence[np.ndarray]): Objects of the annotated kind, each (h, w, 3), uint8.
    """
    textures: Sequence[np.ndarray] = ()
    faces: Sequence[np.ndarray] = ()


NO_DONORS = Donors()


def make_rectangles(kind: str, fraction: float, width: float,
                    rng: np.random.Generator) -> Tuple[np.ndarray, np.ndarray]:
    """Make the rectangles of an occluder.

    Args:
        kind (str): One of :data:`KINDS`.
        fraction (float): Area in units of the box, above 0.
        width (float): Width of the box in pixels.
        rng (np.random.Generator): Source of the random choices, as many for every fraction.

    Returns:
        tuple: Columns (K, 2) and rows (1, 2) of the rectangles in units of the box.
    """
    everything = np.array([[0., 1.]])
    if kind == 'lower':
        return everything, np.array([[1 - fraction, 1.]])
    if kind == 'upper':
        return everything, np.array([[0., fraction]])
    if kind == 'bars':
        return _bars(fraction, width, rng), everything
    shift, (left, top) = rng.uniform(-1, 1), rng.random(2)
    # A face keeps the shape of its box: stretched by another factor, it would look like no face
    aspect = 1. if kind == 'face' else float(np.clip(_MAX_ASPECT_CHANGE**shift, fraction, 1 / fraction))
    sides = np.minimum(np.sqrt([fraction * aspect, fraction / aspect]), 1)
    start = (1 - sides) * [left, top]
    columns, rows = np.stack([start, start + sides], 1)[:, None]
    return columns, rows


def _bars(fraction: float, width: float, rng: np.random.Generator) -> np.ndarray:
    number = int(max(1, min(rng.integers(2, _MOST_BARS + 1), width // _MIN_PERIOD)))
    left = (np.arange(number) + (1 - fraction) * rng.random()) / number
    return np.stack([left, left + fraction / number], 1)


def make_content(kind: str, height: int, width: int, rng: np.random.Generator, donors: Donors) -> np.ndarray:
    """Make the pixels of an occluder.

    Args:
        kind (str): One of :data:`KINDS`.
        height (int): Height in pixels.
        width (int): Width in pixels.
        rng (np.random.Generator): Source of the random choices.
        donors (Donors): Pictures for the kinds ``'texture'`` and ``'face'``.

    Returns:
        np.ndarray: Shape (height, width, 3), uint8.

    Raises:
        ValueError: ``donors`` has no picture for the kind.
    """
    pictures: Dict[str, Sequence[np.ndarray]] = dict(texture=donors.textures, face=donors.faces)
    if kind not in pictures:
        return np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), (height, width, 3))
    if not len(pictures[kind]):
        raise ValueError(f'there is no picture to cut occluders of the kind {kind!r} from: it takes another image'
                         + (' with an annotated box' if kind == 'face' else ''))
    picture = pictures[kind][rng.integers(len(pictures[kind]))]
    if kind == 'texture' and height <= picture.shape[0] and width <= picture.shape[1]:
        return _crop(picture, height, width, rng)
    shrinks = height * width < picture.shape[0] * picture.shape[1]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _crop(picture: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    top, left = (rng.random(2) * [picture.shape[0] - height + 1, picture.shape[1] - width + 1]).astype(int)
    return picture[top:top + height, left:left + width]
