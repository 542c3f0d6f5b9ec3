"""Cover a controlled fraction of a box.

Every kind of occluder is one rectangle, or several side by side, inside its box. Their edges may lie between pixels; a
pixel at an edge is blended in proportion to the covered part of it. So the covered fraction is exact for boxes of any
size, even of a few pixels.
"""
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .occluder_shapes import KINDS, NO_DONORS, Donors, make_content, make_rectangles


class Occluder(NamedTuple):
    """Opaque rectangles over one box.

    Args:
        columns (np.ndarray): Shape (K, 2), left and right of each rectangle in pixels of the image, without overlap.
        rows (np.ndarray): Shape (1, 2), top and bottom of all of them.
        pixels (np.ndarray): Shape (h, w, 3), uint8: content of the whole pixels around the rectangles.
    """
    columns: np.ndarray
    rows: np.ndarray
    pixels: np.ndarray

    @property
    def box(self) -> np.ndarray:
        """np.ndarray: x1, y1, x2, y2 around all rectangles."""
        return np.array([self.columns.min(), self.rows.min(), self.columns.max(), self.rows.max()])


class CoveredImage(NamedTuple):
    """An image with covered boxes.

    Args:
        image (np.ndarray): Pixels (H, W, 3), uint8.
        occluders (List[Occluder | None]): The occluder of each box; None for a box outside the image, or fraction 0.
    """
    image: np.ndarray
    occluders: List[Optional[Occluder]]


# ======================== Covering ========================
def cover_boxes(image: np.ndarray, boxes: np.ndarray, fraction: float, kind: str, rng: np.random.Generator,
                donors: Donors = NO_DONORS) -> CoveredImage:
    """Cover the same fraction of every box of an image.

    The fraction is that of the part of the box inside the image. An occluder never leaves its own box; where boxes
    overlap, it also covers a part of its neighbors (see :func:`measure_coverage`).

    The same state of ``rng`` gives occluders of the same position, shape and content for every fraction, as far as they
    can be the same, so results at two fractions differ by little more than the fraction.

    Args:
        image (np.ndarray): Pixels (H, W, 3), uint8; not changed.
        boxes (np.ndarray): Shape (N, 4), x1, y1, x2, y2 in pixels.
        fraction (float): Fraction of each box to cover, 0 to 1. With 0, the image stays the same to the last bit.
        kind (str): One of :data:`KINDS`.
        rng (np.random.Generator): Source of all random choices.
        donors (Donors): Pictures for the kinds ``'texture'`` and ``'face'``. Defaults to no pictures.

    Returns:
        CoveredImage: A new image, and its occluders.

    Raises:
        ValueError: The kind or the fraction is not possible, or ``donors`` has no picture for the kind.

    Example:
        >>> image = np.zeros((60, 60, 3), np.uint8)
        >>> boxes = np.array([[10, 10, 30, 40], [35, 5, 55, 25]])
        >>> covered = cover_boxes(image, boxes, 0.4, 'lower', np.random.default_rng(0))
        >>> own, total = measure_coverage(boxes, covered.occluders, image.shape[:2])
        >>> own.round(3).tolist()
        [0.4, 0.4]
    """
    check_request(kind, fraction)
    covered = image.copy()
    # One generator per box, so that the number of random choices for a box does not change those of the next
    generators = [np.random.default_rng(rng.integers(2**63)) for _ in boxes]
    occluders = [make_occluder(box, image.shape[:2], fraction, kind, generator, donors)
                 for box, generator in zip(boxes, generators)]
    for occluder in filter(None, occluders):
        paint(covered, occluder)
    return CoveredImage(covered, occluders)


def check_request(kind: str, fraction: float) -> None:
    """Check the kind and the fraction of an occluder.

    Args:
        kind (str): One of :data:`KINDS`.
        fraction (float): Between 0 and 1.

    Raises:
        ValueError: One of them is not possible.
    """
    if kind not in KINDS:
        raise ValueError(f'unknown kind of occluder {kind!r}; choose from {", ".join(KINDS)}')
    if not 0 <= fraction <= 1:
        raise ValueError(f'the covered fraction must be between 0 and 1, not {fraction}')


def make_occluder(box: np.ndarray, size: Tuple[int, int], fraction: float, kind: str, rng: np.random.Generator,
                  donors: Donors = NO_DONORS) -> Optional[Occluder]:
    """Make the occluder of one box.

    Args:
        box (np.ndarray): x1, y1, x2, y2 in pixels.
        size (Tuple[int, int]): Height and width of the image.
        fraction (float): Fraction of the box inside the image to cover, 0 to 1.
        kind (str): One of :data:`KINDS`.
        rng (np.random.Generator): Source of all random choices.
        donors (Donors): Pictures for the kinds ``'texture'`` and ``'face'``. Defaults to no pictures.

    Returns:
        Occluder, optional: The occluder; None if there is nothing to cover.

    Raises:
        ValueError: ``donors`` has no picture for the kind.
    """
    x1, y1, x2, y2 = clip_box(box, size)
    if fraction == 0 or x1 >= x2 or y1 >= y2:
        return None
    columns, rows = make_rectangles(kind, fraction, x2 - x1, rng)
    columns = (x1 + columns * (x2 - x1)).clip(x1, x2)
    rows = (y1 + rows * (y2 - y1)).clip(y1, y2)
    (top, bottom), (left, right) = _pixel_range(rows), _pixel_range(columns)
    return Occluder(columns, rows, make_content(kind, bottom - top, right - left, rng, donors))


def paint(image: np.ndarray, occluder: Occluder) -> None:
    """Paint an occluder into an image, in place.

    Args:
        image (np.ndarray): Pixels (H, W, 3), uint8.
        occluder (Occluder): The occluder, made for an image of this size.
    """
    window, opacity = _opacity(occluder)
    region = image[window].astype(np.float32)
    region += opacity[:, :, None] * (occluder.pixels - region)
    image[window] = np.rint(region).astype(np.uint8)


def clip_box(box: np.ndarray, size: Tuple[int, int]) -> List[float]:
    """Clip a box to the image; a box outside of it gets an empty side.

    Args:
        box (np.ndarray): x1, y1, x2, y2 in pixels.
        size (Tuple[int, int]): Height and width of the image.

    Returns:
        List[float]: x1, y1, x2, y2.
    """
    return np.clip(np.asarray(box, np.float64), 0, [size[1], size[0]] * 2).tolist()


# ======================== Measuring ========================
def measure_coverage(boxes: np.ndarray, occluders: Sequence[Optional[Occluder]],
                     size: Tuple[int, int]) -> Tuple[np.ndarray, np.ndarray]:
    """Measure on the pixels how much of each box is covered.

    Args:
        boxes (np.ndarray): Shape (N, 4), x1, y1, x2, y2 in pixels.
        occluders (Sequence[Occluder | None]): The occluder of each box.
        size (Tuple[int, int]): Height and width of the image.

    Returns:
        tuple: Two arrays of shape (N,): fraction of each box (its part inside the image) that its own occluder covers,
        and the fraction that all occluders cover together. NaN for a box outside the image.
    """
    visible = np.ones(size)
    own = np.full(len(boxes), np.nan)
    total = np.full(len(boxes), np.nan)
    clipped = np.array([clip_box(box, size) for box in boxes]).reshape(-1, 4)
    areas = (clipped[:, 2:] - clipped[:, :2]).prod(1)
    for index, occluder in enumerate(occluders):
        if areas[index] > 0:
            own[index] = 0
        if occluder is not None:
            window, opacity = _opacity(occluder)
            visible[window] *= 1 - opacity
            own[index] = opacity.sum() / areas[index]
    for index in np.flatnonzero(areas > 0):
        x1, y1, x2, y2 = clipped[index]
        window, inside = _covered_pixels(np.array([[x1, x2]]), np.array([[y1, y2]]))
        total[index] = np.minimum(1 - visible[window], inside).sum() / areas[index]
    return own, total


def _opacity(occluder: Occluder) -> Tuple[Tuple[slice, slice], np.ndarray]:
    return _covered_pixels(occluder.columns, occluder.rows)


def _covered_pixels(columns: np.ndarray, rows: np.ndarray) -> Tuple[Tuple[slice, slice], np.ndarray]:
    """Return the window of whole pixels around rectangles and, for each pixel in it, the fraction inside them."""
    (top, bottom), (left, right) = _pixel_range(rows), _pixel_range(columns)
    opacity = np.outer(_covered_lengths(rows, top, bottom), _covered_lengths(columns, left, right))
    return (slice(top, bottom), slice(left, right)), opacity.astype(np.float32)


def _pixel_range(intervals: np.ndarray) -> Tuple[int, int]:
    return int(np.floor(intervals.min())), int(np.ceil(intervals.max()))


def _covered_lengths(intervals: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return how much of each pixel from ``start`` to ``stop`` is inside the intervals (K, 2)."""
    pixels = np.arange(start, stop)[:, None]
    return (np.minimum(intervals[:, 1], pixels + 1) - np.maximum(intervals[:, 0], pixels)).clip(0).sum(1)
