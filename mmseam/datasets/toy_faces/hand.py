"""Draw a hand, used as an occluder and as a distractor."""
from typing import Sequence

import numpy as np

from .face_style import Color, scaled
from .painter import Painter

_FINGERS = ((-20, 0.92), (-7, 1.08), (7, 1.02), (20, 0.85))  # degrees from the middle, length


def draw_hand(painter: Painter, palm: Sequence[float], direction: float, size: float, skin: Color,
              sleeve: Color) -> None:
    """Draw a hand with its arm.

    Args:
        painter (Painter): Painter to draw with.
        palm (Sequence[float]): Local center (x, y) of the palm.
        direction (float): Direction of the fingers in radians; the arm comes from the opposite side.
        size (float): Length from wrist to middle finger tip, in local units.
        skin (tuple[int, int, int]): BGR color of the hand.
        sleeve (tuple[int, int, int]): BGR color of the sleeve.
    """
    palm = np.asarray(palm, np.float64)

    def towards(degrees: float, distance: float) -> np.ndarray:
        angle = direction + np.deg2rad(degrees)
        return palm + distance * size * np.array([np.cos(angle), np.sin(angle)])

    edge = scaled(skin, 0.6)
    painter.line([palm, towards(180, 1.1)], 0.34 * size, skin)
    painter.line([towards(180, 0.8), towards(180, 4.0)], 0.46 * size, sleeve)
    strokes = [(towards(65, 0.1), towards(48, 0.52), 0.15)]
    strokes += [(towards(2 * degrees, 0.2), towards(degrees, 0.62 * length), 0.14) for degrees, length in _FINGERS]
    painter.disc(*palm, 0.31 * size, 0.3 * size, edge)
    for start, end, width in strokes:
        painter.line([start, end], (width + 0.035) * size, edge)
        painter.line([start, end], width * size, skin)
    painter.disc(*palm, 0.28 * size, 0.27 * size, skin)
