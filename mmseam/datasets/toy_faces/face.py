"""Geometry and drawing of one head."""
import math
from functools import cached_property
from typing import Sequence, Tuple

import numpy as np

from .face_style import FaceStyle, scaled
from .painter import Painter, ellipse, rotation
from .patch import Patch

_EXTENT = (-2.1, -2.3, 2.1, 2.1)  # half face heights; room for hair and blur
_SPAN = np.linspace(-1, 1, 13)  # across mouth, eye or jaw


class Face:
    """A head with a given appearance at a given position.

    The face is the egg-shaped front of the head from above the hairline to the chin, including its own hair and
    eyeglasses. Surface points are given by longitude (degrees from the nose, right positive) and height v (-1 top,
    1 chin), and are projected as on a turned sphere.

    Args:
        style (FaceStyle): Appearance of the face.
        center (Sequence[float]): Image position (x, y) of the face's center, in pixels.
        height (float): Height of the upright face, in pixels.
        image_size (int): Side of the square image.
    """

    def __init__(self, style: FaceStyle, center: Sequence[float], height: float, image_size: int) -> None:
        self.style = style
        self.center = np.asarray(center, np.float64)
        self.height = height
        self.unit = height / 2
        self.image_size = image_size
        self._turn = math.sin(math.radians(style.yaw))

    def painter(self, extent: Sequence[float] = _EXTENT, roll_share: float = 1.0) -> Painter:
        """Create a painter in face coordinates (unit: half the face height), rotated by a fraction of its roll."""
        return Painter(self.center, self.unit, self.style.roll * roll_share, extent, self.image_size)

    def half_width(self, v) -> np.ndarray:
        """Compute half the width of the head at heights ``v``."""
        v = np.minimum(np.maximum(v, -1), 1)
        return self.style.width * np.sqrt(1 - v * v) * (1 - self.style.taper * v)

    def surface(self, longitude, v, lift: float = 0.0) -> np.ndarray:
        """Compute local points ``(n, 2)`` on the surface of the turned head; ``lift`` raises them above it."""
        v = np.asarray(v, np.float64)
        turned = np.minimum(np.maximum(np.asarray(longitude) + self.style.yaw, -90), 90) * (np.pi / 180)
        x = self.half_width(v) * np.sin(turned) + lift * self._turn
        y = v + 0.2 * self.style.pitch * np.cos(turned) * np.maximum(1 - v**2, 0)
        points = np.empty((x.size, 2))
        points[:, 0], points[:, 1] = x, y
        return points

    @cached_property
    def outline(self) -> np.ndarray:
        """np.ndarray: Outline of the face as a local polygon ``(n, 2)``."""
        v = -np.cos(np.linspace(0, np.pi, 32))
        half = self.half_width(v)
        return np.concatenate([np.stack([half, v], 1), np.stack([-half, v], 1)[::-1]])

    def box(self) -> Tuple[int, int, int, int]:
        """Return the amodal box clipped to the image, as x, y, width and height in integer pixels."""
        points = self.outline @ rotation(self.style.roll) * self.unit + self.center
        low = np.clip(np.rint(points.min(0)), 0, self.image_size).astype(int)
        high = np.clip(np.rint(points.max(0)), 0, self.image_size).astype(int)
        return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])

    def area(self) -> float:
        """Compute the area of the face in square pixels, including parts outside the image."""
        x, y = self.outline.T
        return 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) * self.unit**2

    @cached_property
    def mask(self) -> Patch:
        """Patch: Mask ``(h, w)`` of the unoccluded face inside the image."""
        painter = self.painter((-1, -1.05, 1, 1.05))
        painter.fill(self.outline, (0, 0, 0))
        drawn = painter.patch()
        return Patch(drawn.opacity, drawn.x, drawn.y).trimmed()

    def finish(self, painter: Painter) -> Patch:
        """Apply the light and blur of the face to a drawing made with one of its painters."""
        style = self.style
        light = painter.light(style.light_angle, style.contrast, style.gain)
        return painter.patch().lit(light).blurred(style.blur * self.height).trimmed()

    def draw(self) -> Patch:
        """Draw the head without a body."""
        painter = self.painter()
        self._back_hair(painter)
        self._ears(painter)
        painter.fill(self.outline, self.style.skin)
        self._cheeks(painter)
        self._mouth(painter)
        self._nose(painter)
        for side in (-1, 1):
            self._eye(painter, side)
        self._front_hair(painter)
        return self.finish(painter)

    def draw_back(self) -> Patch:
        """Draw the head from behind, without facial features."""
        painter = self.painter()
        self._back_hair(painter)
        self._ears(painter)
        bald = self.style.hair_style == 'bald'
        painter.disc(0, -0.1, 0.98 * self.style.width, 0.9, self.style.skin if bald else self.style.hair)
        return self.finish(painter)

    def _back_hair(self, painter: Painter) -> None:
        style, width = self.style, self.style.width
        shift = -0.35 * self._turn
        color = scaled(style.hair, 0.8)
        if style.hair_style == 'bald':
            painter.disc(shift, -0.25, width * 1.0, 0.85, scaled(style.skin, 0.85))
            return
        if style.hair_style == 'afro':
            painter.disc(shift, -0.4, width * 1.6, 1.25, color)
        if style.hair_style == 'bun':
            painter.disc(shift, -1.3, 0.35, 0.33, color)
        if style.hair_style == 'long':
            side = width * 1.22
            painter.fill([(shift - side, -0.5), (shift + side, -0.5), (shift + side * 1.1, 1.15),
                          (shift + side * 0.7, 1.45), (shift - side * 0.7, 1.45), (shift - side * 1.1, 1.15)], color)
        painter.disc(shift, -0.35, width * 1.15, 0.9, color)

    def _ears(self, painter: Painter) -> None:
        yaw = self.style.yaw
        for side in (-1, 1):
            if side * yaw < 25:  # the ear on the far side is hidden
                x = side * self.style.width * 0.97 * np.cos(np.deg2rad(yaw))
                painter.disc(x, 0.02, 0.13, 0.24, scaled(self.style.skin, 0.88))
                painter.disc(x, 0.02, 0.06, 0.14, scaled(self.style.skin, 0.7))

    def _cheeks(self, painter: Painter) -> None:
        skin = self.style.skin
        for side in (-1, 1):
            painter.fill(self._spot(side * 38, 0.3, 13, 0.14), (skin[0], skin[1], min(skin[2] + 12, 255)))
            painter.fill(self._spot(side * self.style.eye_spacing, -0.12, 15, 0.15), scaled(skin, 0.88))
        if self.style.beard:
            upper = 0.62 - 0.75 * np.abs(_SPAN)**3 * (self.style.hair_style != 'bald')
            self._band(painter, 75 * _SPAN, upper, np.ones_like(_SPAN), self.style.hair)
            painter.fill(self._spot(0, 0.42, 20, 0.07), self.style.hair)

    def _spot(self, longitude: float, v: float, radius_longitude: float, radius_v: float, lift: float = 0.0):
        """Return the polygon of an ellipse on the surface of the face."""
        return self.surface(*ellipse(longitude, v, radius_longitude, radius_v).T, lift=lift)

    def _mouth(self, painter: Painter) -> None:
        style = self.style
        longitude, bulge = style.mouth_width * _SPAN, 1 - _SPAN**2
        middle = 0.53 - style.smile * _SPAN**2
        gap = 0.26 * style.mouth_open * bulge
        lips = (int(style.skin[0] * 0.62), int(style.skin[1] * 0.55), int(min(style.skin[2] * 0.86, 255)))
        self._band(painter, longitude, middle - 0.055 * bulge - gap * 0.3, middle + 0.08 * bulge + gap, lips)
        self._band(painter, longitude * 0.9, middle - gap * 0.25, middle + gap + 0.012, (36, 26, 52))
        if style.mouth_open > 0.2:
            self._band(painter, longitude * 0.75, middle - gap * 0.2, middle + gap * 0.15, (232, 238, 240))

    def _band(self, painter: Painter, longitude, upper, lower, color) -> None:
        painter.fill(np.concatenate([self.surface(longitude, upper), self.surface(longitude[::-1], lower[::-1])]),
                     color)

    def _nose(self, painter: Painter) -> None:
        style = self.style
        size, lift = 0.1 * style.nose, 0.22
        tip = self.surface([0, 0], [-0.1, 0.24])
        tip[1] += (lift * self._turn, 0)
        side = 1 if style.yaw >= 0 else -1
        painter.fill([tip[0], tip[1] + (side * size * 0.3, 0), tip[1] + (-side * size * 1.2, 0.06)],
                     scaled(style.skin, 0.82))
        painter.disc(*tip[1], size, size * 0.8, scaled(style.skin, 1.05))
        for nostril in (-1, 1):
            painter.disc(tip[1][0] + nostril * size * 0.55, tip[1][1] + size * 0.55, size * 0.3, size * 0.22,
                         scaled(style.skin, 0.42))

    def _eye(self, painter: Painter, side: int) -> None:
        style, longitude = self.style, side * self.style.eye_spacing
        if abs(longitude + style.yaw) > 80:
            return
        size = style.eye_size
        painter.fill(self._spot(longitude, -0.12, 10.5 * size, 0.085 * size), (228, 232, 236))
        painter.fill(self._spot(longitude + style.yaw * 0.03, -0.115, 5 * size, 0.08 * size), style.eye)
        painter.fill(self._spot(longitude + style.yaw * 0.03, -0.115, 2.4 * size, 0.04 * size), (12, 12, 14))
        arch = np.cos(1.4 * _SPAN)
        painter.line(self.surface(longitude + 12 * size * _SPAN, -0.12 - 0.085 * size * arch), 0.035,
                     scaled(style.skin, 0.3))
        brow = -0.35 - 0.05 * arch + side * style.brow_tilt * _SPAN
        painter.line(self.surface(longitude + 13 * _SPAN, brow), 0.07, scaled(style.hair, 0.75))
        if style.glasses:
            rim = self._spot(longitude, -0.1, 19, 0.21, lift=0.08)
            painter.line(np.concatenate([rim, rim[:1]]), 0.03, (30, 26, 28))
            painter.line(np.stack([rim[14 if side > 0 else 0], self.surface(0, -0.14, 0.1)[0]]), 0.03, (30, 26, 28))

    def _front_hair(self, painter: Painter) -> None:
        style = self.style
        if style.hair_style == 'bald':
            return
        longitude = np.linspace(-88, 88, 23)
        front = style.hairline + 0.1 * np.cos(np.deg2rad(longitude * 3 + 40 * style.smile))
        temple = 0.05 if style.hair_style == 'short' else 0.35
        line = front + (temple - front) * np.clip((np.abs(longitude) - 58) / 30, 0, 1)**1.5
        across = np.linspace(-1, 1, 23) * style.width
        crown = np.stack([across * 1.1, -0.35 - 0.9 * np.sqrt(1 - (across / style.width * 0.97)**2)], 1)
        edge = self.surface(longitude, line)
        rim = [(style.width * 1.08, temple), (style.width * 1.1, -0.35)]
        left = [(-x, y) for x, y in rim[::-1]]
        painter.fill(np.concatenate([edge, rim, crown[::-1], left]), style.hair)
        if style.hair_style == 'cap':
            top = self.surface(longitude, style.hairline - 0.08)
            painter.fill(np.concatenate([top, crown[::-1] * (1.06, 1.04)]), style.clothes)
            brim = self.surface(np.linspace(-60, 60, 9), style.hairline - 0.02, lift=0.3)
            painter.line(brim, 0.12, scaled(style.clothes, 0.7))
