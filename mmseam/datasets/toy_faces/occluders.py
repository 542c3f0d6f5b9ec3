"""Draw occluders.

Each function takes the random number generator, the face and the fraction of it (0..1) to cover, and returns one patch
to paste over the face. The fraction is only a target; the scene measures the actual one.
"""
from typing import Callable, Dict

import numpy as np

from .face import Face
from .face_style import any_color, jitter, scaled, skin_color
from .hand import draw_hand
from .painter import Painter
from .patch import Patch

_MASK_COLORS = ((226, 206, 166), (240, 240, 240), (52, 48, 48), (176, 190, 120), (196, 170, 214))


def _height_above(face: Face, share: float) -> float:
    """Compute the height v below which the given fraction of the face area is."""
    v = np.linspace(1, -1, 101)
    below = np.cumsum(face.half_width(v))
    return float(v[np.searchsorted(below, share * below[-1])])


def medical_mask(rng: np.random.Generator, face: Face, share: float) -> Patch:
    """Draw a mask over mouth and nose with pleats and ear loops."""
    color = any_color(rng) if rng.random() < 0.25 else jitter(rng, _MASK_COLORS[rng.integers(len(_MASK_COLORS))])
    painter = face.painter()
    longitude = np.linspace(-74, 74, 17)
    top = _height_above(face, min(share, 0.62)) + 0.09 - 0.16 * np.cos(np.deg2rad(longitude))**2
    side = np.linspace(top[0], 0.995, 8)
    edge = np.concatenate([face.surface(longitude, top, 0.1), face.surface(74, side), face.surface(-74, side[::-1])])
    for end in (-1, 1):
        painter.line(face.surface([end * 74, end * 90], [top[0] + 0.1, -0.05]), 0.03, scaled(color, 0.8))
    painter.fill((edge - (0, 0.5)) * 1.05 + (0, 0.5), color)
    for level in (0.3, 0.5, 0.7):
        height = top + level * (1 - top)
        painter.line(face.surface(longitude[2:-2], height[2:-2], 0.1), 0.03, scaled(color, 0.82))
    return face.finish(painter)


def sunglasses(rng: np.random.Generator, face: Face, share: float) -> Patch:
    """Draw sunglasses, or goggles for larger fractions."""
    painter, color = face.painter(), scaled(any_color(rng), 0.25)
    half = float(np.clip(1.05 * share, 0.14, 0.5))
    shine = scaled(color, 2.2)
    if share > 0.24:
        longitude = np.linspace(-72, 72, 15)
        band = np.concatenate([face.surface(longitude, -0.12 - half), face.surface(longitude, -0.12 + half)[::-1]])
        painter.fill(band, color)
        painter.line(face.surface(longitude[2:-2], -0.12 - 0.6 * half), 0.05, shine)
        return face.finish(painter)
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for side in (-1, 1):
        lens = face.surface(side * 29 + 25 * np.cos(turn), -0.1 + half * 1.25 * np.sin(turn))
        painter.fill(lens, color)
        painter.line(face.surface(side * 29 + np.array([-12, 4]), [-0.18, -0.22]), 0.04, shine)
        painter.line(face.surface([side * 50, side * 88], [-0.16, -0.1]), 0.06, color)
    painter.line(face.surface([-8, 0, 8], [-0.13, -0.17, -0.13], 0.1), 0.07, color)
    return face.finish(painter)


def scarf(rng: np.random.Generator, face: Face, share: float) -> Patch:
    """Draw a striped scarf over the lower face."""
    painter, color, stripe = face.painter(), any_color(rng), any_color(rng)
    side = face.style.width * rng.uniform(1.15, 1.4)
    x = np.linspace(-side, side, 15)
    top = _height_above(face, share) + rng.uniform(0.02, 0.07) * np.sin(x * rng.uniform(3, 8))
    low = np.full_like(top, rng.uniform(1.25, 1.6))
    painter.fill(np.concatenate([np.stack([x, top], 1), np.stack([x * 0.9, low], 1)[::-1]]), color)
    for level in np.arange(0.1, 1, rng.uniform(0.16, 0.3)):
        painter.line(np.stack([x * 0.97, top + level * (low - top)], 1), rng.uniform(0.04, 0.1), stripe)
    return face.finish(painter)


def hand(rng: np.random.Generator, face: Face, share: float) -> Patch:
    """Draw a hand, mostly from below and with the skin color of the face."""
    direction = rng.uniform(0, 2 * np.pi) if rng.random() < 0.3 else rng.normal(-np.pi / 2, 0.7)
    size = rng.uniform(1.15, 1.5)
    reach = 1.05 - 1.35 * share
    palm = -reach * np.array([0.8 * np.cos(direction), np.sin(direction)]) + rng.normal(0, 0.08, 2)
    skin = face.style.skin if rng.random() < 0.7 else skin_color(rng)
    painter = face.painter((-3, -3, 3, 3), roll_share=0)
    draw_hand(painter, palm, direction, size, scaled(jitter(rng, skin, 6), face.style.gain), any_color(rng))
    return painter.patch().blurred(rng.uniform(0, 0.6) * face.style.blur * face.height).trimmed()


def bars(rng: np.random.Generator, face: Face, share: float) -> Patch:
    """Draw parallel bars or a fence in front of the face and its surroundings."""
    angle = (0, 90, 45, -45)[rng.choice(4, p=(0.5, 0.25, 0.125, 0.125))] + rng.normal(0, 6)
    reach, length = rng.uniform(1.2, 2.6), rng.uniform(1.3, 2.8)
    extent = (-reach - 0.3, -length - 0.3, reach + 0.3, length + 0.3)
    painter = Painter(face.center, face.unit, angle, extent, face.image_size)
    color = any_color(rng)
    crossed = rng.random() < 0.25
    duty = 1 - np.sqrt(1 - share) if crossed else share
    period = rng.uniform(0.45, 0.9)
    for x in np.arange(-reach + rng.uniform(0, period), reach, period):
        painter.line([(x, -length), (x, length)], duty * period, color)
        shine = x - 0.25 * duty * period
        painter.line([(shine, -length), (shine, length)], 0.2 * duty * period, scaled(color, 1.25))
    rails = np.arange(-length, length, period) if crossed else (-length, length)
    for y in rails:
        painter.line([(-reach, y), (reach, y)], duty * period if crossed else 0.14, scaled(color, 0.85))
    return painter.patch().trimmed()


def _board(painter: Painter, rng: np.random.Generator, near: float) -> None:
    """Draw a book, phone or sign whose edge is ``near`` units from the origin."""
    color, ink = any_color(rng), any_color(rng)
    deep, half = rng.uniform(0.9, 1.8), rng.uniform(0.9, 1.4)
    painter.fill([(near, -half), (near + deep, -half), (near + deep, half), (near, half)], scaled(color, 0.7))
    painter.fill([(near + 0.06, -half + 0.06), (near + deep - 0.06, -half + 0.06), (near + deep - 0.06, half - 0.06),
                  (near + 0.06, half - 0.06)], color)
    for level in np.arange(0.25, deep - 0.2, rng.uniform(0.2, 0.35)):
        painter.line([(near + level, -half * 0.7), (near + level, half * rng.uniform(0, 0.75))], 0.07, ink)


def _ball(painter: Painter, rng: np.random.Generator, near: float) -> None:
    """Draw a ball or balloon."""
    color, radius = any_color(rng), rng.uniform(0.8, 1.2)
    middle = near - 0.12 + radius
    painter.disc(middle, 0, radius, radius, scaled(color, 0.7))
    painter.disc(middle - 0.06 * radius, -0.06 * radius, radius * 0.9, radius * 0.9, color)
    painter.disc(middle - 0.3 * radius, -0.35 * radius, radius * 0.22, radius * 0.16, scaled(color, 1.5))


def _leaves(painter: Painter, rng: np.random.Generator, near: float) -> None:
    """Draw a dense twig."""
    green = jitter(rng, (50, 120, 70), 30)
    for _ in range(26):
        x, y, radius = near + rng.uniform(0.15, 1.5), rng.uniform(-1.2, 1.2), rng.uniform(0.22, 0.42)
        painter.disc(x, y, radius, radius * 0.5, jitter(rng, green, 24), rng.uniform(0, 180))


def thing(rng: np.random.Generator, face: Face, share: float) -> Patch:
    """Draw a book, sign, ball, balloon or twig from a random side."""
    direction = rng.uniform(0, 360)
    along = np.deg2rad(direction)
    radius = np.hypot(face.style.width * np.cos(along), np.sin(along))
    draw = (_board, _ball, _leaves)[rng.choice(3, p=(0.45, 0.3, 0.25))]
    painter = Painter(face.center, face.unit, direction, (-1.2, -1.8, 3, 1.8), face.image_size)
    draw(painter, rng, (1 - 2 * share) * radius * 0.85)
    return painter.patch().trimmed()


OCCLUDERS: Dict[str, Callable[[np.random.Generator, Face, float], Patch]] = dict(
    medical_mask=medical_mask, sunglasses=sunglasses, scarf=scarf, hand=hand, bars=bars, thing=thing)
