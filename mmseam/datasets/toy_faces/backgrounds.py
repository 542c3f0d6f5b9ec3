"""Draw textured backgrounds without faces."""
import math
from typing import Sequence

import cv2
import numpy as np

from .face_style import Color, any_color, jitter, scaled, skin_color


def _grain(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Generate smooth noise ``(size, size)`` in -1..1 with about ``cells`` bumps per side."""
    grid = rng.uniform(-1, 1, (cells + 1, cells + 1)).astype(np.float32)
    return np.clip(cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC), -1, 1)


def _gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    first, change = np.float32(any_color(rng)), np.float32(any_color(rng))
    change -= first
    share = np.clip(0.5 + _slope(rng.uniform(0, 2 * np.pi), size) / size, 0, 1)
    return cv2.merge([share * float(change[channel]) + float(first[channel]) for channel in range(3)])


def _slope(angle: float, size: int) -> np.ndarray:
    """Compute distances ``(size, size)`` in pixels from the center along a direction in radians."""
    line = np.arange(size, dtype=np.float32) - size / 2
    return line[None] * math.cos(angle) + line[:, None] * math.sin(angle)


def _noise(rng: np.random.Generator, size: int) -> np.ndarray:
    noise = sum(_grain(rng, size, cells) / (octave + 1) for octave, cells in enumerate((4, 12, 40)))
    return _tinted(_gradient(rng, size), noise, rng.uniform(15, 45, 3))


def _stripes(rng: np.random.Generator, size: int) -> np.ndarray:
    angle, period = rng.uniform(0, np.pi), size * rng.uniform(0.03, 0.2)
    along = _slope(angle, size) + _grain(rng, size, 5) * rng.uniform(0, period)
    wave = np.clip(np.sin(along * (2 * np.pi / period)) * 4, -1, 1)
    return _tinted(_gradient(rng, size), wave, rng.uniform(-30, 30, 3))


def _tinted(image: np.ndarray, pattern: np.ndarray, strength: Sequence[float]) -> np.ndarray:
    """Add a pattern ``(size, size)`` to each channel with a separate strength."""
    return cv2.add(image, cv2.merge([pattern * float(factor) for factor in strength]))


def _blobs(rng: np.random.Generator, size: int) -> np.ndarray:
    image = _gradient(rng, size)
    for _ in range(rng.integers(12, 35)):
        _spot(image, rng, (0.015, 0.13), skin_color(rng) if rng.random() < 0.4 else any_color(rng))
    return image


def _spot(image: np.ndarray, rng: np.random.Generator, radii: Sequence[float], color: Color) -> None:
    """Draw an ellipse at a random position; radii are relative to the image side."""
    size = len(image)
    x, y, tilt = rng.uniform(0, size, 3)
    axes = tuple(int(axis) for axis in size * rng.uniform(*radii, 2) + 1)
    cv2.ellipse(image, (int(x), int(y)), axes, tilt, 0, 360, color, -1)


def _buildings(rng: np.random.Generator, size: int) -> np.ndarray:
    image, left = _gradient(rng, size), 0
    while left < size:
        width, top = int(size * rng.uniform(0.12, 0.35)), int(size * rng.uniform(0.0, 0.5))
        wall, pane = any_color(rng), any_color(rng)
        cv2.rectangle(image, (left, top), (left + width, size), wall, -1)
        step = max(5, int(size * rng.uniform(0.035, 0.08)))
        for x in range(left + step // 2, left + width - step // 2, step):
            for y in range(top + step // 2, size, int(step * 1.4)):
                cv2.rectangle(image, (x, y), (x + step // 2, y + int(step * 0.7)), jitter(rng, pane, 20), -1)
        left += width
    return image


def _foliage(rng: np.random.Generator, size: int) -> np.ndarray:
    image, green = _gradient(rng, size), jitter(rng, (45, 105, 65), 30)
    for _ in range(150):
        _spot(image, rng, (0.01, 0.045), scaled(jitter(rng, green, 20), rng.uniform(0.5, 1.4)))
    return image


_KINDS = (_gradient, _noise, _stripes, _blobs, _buildings, _foliage)


def draw_background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a random background: gradient, noise, stripes, skin-colored and other blobs, buildings or foliage.

    Args:
        rng (np.random.Generator): Random number generator.
        size (int): Side of the image in pixels.

    Returns:
        np.ndarray: ``(size, size, 3)`` uint8 BGR.
    """
    image = _KINDS[rng.integers(len(_KINDS))](rng, size)
    image = _tinted(image, _grain(rng, size, 24), [rng.uniform(0, 12)] * 3)
    # OpenCV's conversion saturates at 0 and 255.
    return cv2.GaussianBlur(cv2.convertScaleAbs(cv2.max(image, 0)), (0, 0), rng.uniform(0.4, 1.6))
