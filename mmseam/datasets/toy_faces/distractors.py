"""Draw distractors: objects that resemble faces, so that a detector must learn facial features."""
import numpy as np

from .body import draw_body
from .face import Face
from .face_style import any_color, scaled, skin_color
from .hand import draw_hand
from .patch import Patch


def _plain_oval(rng: np.random.Generator, face: Face) -> Patch:
    """Draw a skin-colored oval with the shape and light of a face, without facial features."""
    painter = face.painter()
    painter.fill(face.outline, face.style.skin)
    return face.finish(painter)


def _back_of_head(rng: np.random.Generator, face: Face) -> Patch:
    return face.draw_back()


def _hand(rng: np.random.Generator, face: Face) -> Patch:
    painter = face.painter((-3, -3, 3, 3))
    draw_hand(painter, (0, 0), rng.uniform(0, 2 * np.pi), rng.uniform(1.0, 1.6), skin_color(rng), any_color(rng))
    return face.finish(painter)


def _ball(rng: np.random.Generator, face: Face) -> Patch:
    painter = face.painter()
    color = face.style.skin if rng.random() < 0.4 else any_color(rng)
    painter.disc(0, 0, 0.9, 0.9, color)
    for x in np.linspace(-0.6, 0.6, rng.integers(2, 4)):
        painter.line([(x, -0.6), (1.25 * x, 0), (x, 0.6)], 0.06, scaled(color, 0.6))
    return face.finish(painter)


def _clothing(rng: np.random.Generator, face: Face) -> Patch:
    return draw_body(rng, face)


_KINDS = (_plain_oval, _plain_oval, _back_of_head, _hand, _ball, _clothing)


def draw_distractor(rng: np.random.Generator, face: Face) -> Patch:
    """Draw a random distractor.

    Args:
        rng (np.random.Generator): Random number generator.
        face (Face): Face that determines appearance, position and size.

    Returns:
        Patch: Layer to paste behind all faces.
    """
    return _KINDS[rng.integers(len(_KINDS))](rng, face)
