"""Draw neck, shoulders and clothes below a face."""
import numpy as np

from .face import Face
from .face_style import any_color, scaled
from .patch import Patch


def draw_body(rng: np.random.Generator, face: Face) -> Patch:
    """Draw the body below a face, behind the face and in front of everything placed earlier.

    Args:
        rng (np.random.Generator): Random number generator.
        face (Face): The face, which determines colors, light and blur.
    """
    style, painter = face.style, face.painter((-2.4, 0.2, 2.4, 4.2), roll_share=0.3)
    shoulder, neck = rng.uniform(1.5, 2.0), style.width * rng.uniform(0.45, 0.6)
    outline = [(neck, 1.15), (shoulder * 0.8, 1.45), (shoulder, 1.9), (shoulder * 1.08, 4.2)]
    torso = outline + [(-x, y) for x, y in outline[::-1]]
    painter.fill(torso, style.clothes)
    pattern = any_color(rng)
    if rng.random() < 0.35:
        for y in np.arange(1.8, 4.2, rng.uniform(0.3, 0.6)):
            painter.line([(-shoulder, y), (shoulder, y)], 0.12, pattern)
    painter.fill([(-neck, 0.4), (neck, 0.4), (neck, 1.2), (0, rng.uniform(1.35, 1.8)), (-neck, 1.2)],
                 scaled(style.skin, 0.8))
    if rng.random() < 0.3:
        painter.line([(0, 1.8), (0, 4.2)], 0.08, pattern)
    return face.finish(painter)
