"""Anti-aliased drawing in the local coordinates of a face or an object."""
import math
from typing import Sequence, Tuple

import cv2
import numpy as np

from .patch import Patch

Color = Tuple[int, int, int]

_SHIFT = 4  # OpenCV takes sub-pixel positions as integers with this many fractional bits
_TURN = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], 1)
_COARSE_UNIT = 28  # below this many pixels per unit, features are thinner than a pixel and need finer sampling


class Painter:
    """Drawing of polygons and lines in local units, supersampled for anti-aliasing.

    Before the roll, local x points right and y down; (0, 0) is the center.

    Args:
        center (Sequence[float]): Image position (x, y) of the local origin, in pixels.
        unit (float): Pixels per local unit.
        roll (float): Clockwise rotation in degrees.
        extent (Sequence[float]): Local left, top, right and bottom of the drawing area.
        image_size (int): Side of the square image, to which the drawing is clipped.
    """

    def __init__(self, center: Sequence[float], unit: float, roll: float, extent: Sequence[float],
                 image_size: int) -> None:
        self.center = np.asarray(center, np.float64)
        self.unit = unit
        turned = unit * rotation(roll)
        left, top, right, bottom = extent
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)]) @ turned + self.center
        low = np.clip(np.floor(corners.min(0)), 0, image_size - 1).astype(int)
        high = np.clip(np.ceil(corners.max(0)), low + 1, image_size).astype(int)
        self.x, self.y = int(low[0]), int(low[1])
        self.width, self.height = int(high[0] - low[0]), int(high[1] - low[1])
        self._factor = 4 if unit < _COARSE_UNIT else 2
        # Pixel i of the canvas spans [i, i + 1) in continuous coordinates and is i for OpenCV.
        self._matrix = turned * (self._factor * 2**_SHIFT)
        self._offset = ((self.center - low) * self._factor - 0.5) * 2**_SHIFT
        self._pixels = np.zeros((self.height * self._factor, self.width * self._factor, 4), np.uint8)

    def _fixed_point(self, points) -> np.ndarray:
        return (np.asarray(points) @ self._matrix + self._offset).round().astype(np.int32)

    def fill(self, points, color: Color) -> None:
        """Fill a polygon of local points ``(n, 2)``."""
        cv2.fillPoly(self._pixels, [self._fixed_point(points)], (*color, 255), cv2.LINE_AA, _SHIFT)

    def line(self, points, width: float, color: Color) -> None:
        """Draw an open polyline of local points ``(n, 2)``, ``width`` local units thick, with round ends."""
        thickness = max(1, int(round(width * self.unit * self._factor)))
        cv2.polylines(self._pixels, [self._fixed_point(points)], False, (*color, 255), thickness, cv2.LINE_AA, _SHIFT)

    def disc(self, x: float, y: float, radius_x: float, radius_y: float, color: Color, tilt: float = 0) -> None:
        """Fill an ellipse with local center and radii, rotated by ``tilt`` degrees."""
        self.fill(ellipse(x, y, radius_x, radius_y, tilt), color)

    def patch(self) -> Patch:
        """Return the drawing at image resolution."""
        size = (self.width, self.height)
        return Patch(cv2.resize(self._pixels, size, interpolation=cv2.INTER_AREA), self.x, self.y)

    def light(self, angle: float, contrast: float, gain: float) -> np.ndarray:
        """Compute brightness factors ``(h, w)`` of a light from one side that fades across the local unit circle.

        Args:
            angle (float): Direction of decreasing brightness in radians.
            contrast (float): Half the difference between the two sides, 0..1.
            gain (float): Overall brightness; 1 leaves it unchanged.
        """
        columns = (np.arange(self.width) + self.x + 0.5 - self.center[0]) / self.unit * np.cos(angle)
        rows = (np.arange(self.height) + self.y + 0.5 - self.center[1]) / self.unit * np.sin(angle)
        along = np.clip(columns[None] + rows[:, None], -1, 1)
        return (gain * (1 - contrast * along)).astype(np.float32)


def ellipse(x: float, y: float, radius_x: float, radius_y: float, tilt: float = 0) -> np.ndarray:
    """Return points ``(28, 2)`` of an ellipse rotated by ``tilt`` degrees."""
    return _CIRCLE * (radius_x, radius_y) @ rotation(tilt) + (x, y)


def rotation(degrees: float) -> np.ndarray:
    """Return the matrix that rotates points ``(n, 2)`` clockwise in the image, as ``points @ matrix``."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cosine, sine], [-sine, cosine]])
