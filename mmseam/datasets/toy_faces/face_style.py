"""Appearance of a drawn face and the resulting WIDER FACE attributes."""
from dataclasses import dataclass
from typing import Tuple

import numpy as np

Color = Tuple[int, int, int]

# BGR, light to dark.
SKIN_TONES = ((190, 210, 242), (168, 192, 232), (140, 172, 218), (112, 146, 200), (90, 124, 178), (66, 96, 146),
              (48, 70, 112), (36, 50, 80))
HAIR_COLORS = ((24, 22, 24), (30, 36, 48), (36, 54, 84), (56, 88, 128), (96, 150, 196), (130, 186, 222), (44, 72, 150),
                (150, 150, 152), (208, 208, 210))
HAIR_STYLES = ('bald', 'short', 'short', 'long', 'long', 'afro', 'bun', 'cap')

# Thresholds of the attributes. Blur is the standard deviation of the Gaussian divided by the face height.
BLUR_NORMAL, BLUR_HEAVY = 0.02, 0.045
EXAGGERATED_MOUTH = 0.5
ATYPICAL_ROLL = 30.0  # degrees; WIDER FACE: roll or pitch beyond 30°, or yaw beyond 90° (never drawn)
EXTREME_GAIN, EXTREME_CONTRAST = (0.6, 1.4), 0.6


@dataclass(frozen=True)
class FaceStyle:
    """Appearance of one face: lengths in half face heights, angles in degrees, BGR colors, fractions 0..1."""

    width: float
    taper: float
    yaw: float
    roll: float
    pitch: float
    skin: Color
    hair: Color
    hair_style: str
    hairline: float
    eye: Color
    eye_size: float
    eye_spacing: float
    brow_tilt: float
    nose: float
    mouth_width: float
    mouth_open: float
    smile: float
    beard: bool
    glasses: bool
    light_angle: float
    contrast: float
    gain: float
    blur: float
    clothes: Color

    @property
    def blur_class(self) -> int:
        """int: 0 clear, 1 normal blur (from 2% of the face height), 2 heavy blur (from 4.5%)."""
        return int(self.blur >= BLUR_NORMAL) + int(self.blur >= BLUR_HEAVY)

    @property
    def expression_class(self) -> int:
        """int: 1 if the mouth is more than half open, else 0."""
        return int(self.mouth_open > EXAGGERATED_MOUTH)

    @property
    def illumination_class(self) -> int:
        """int: 1 if the face is underexposed, overexposed or lit from one side only, else 0."""
        low, high = EXTREME_GAIN
        return int(not low <= self.gain <= high or self.contrast > EXTREME_CONTRAST)

    @property
    def pose_class(self) -> int:
        """int: 1 for a roll beyond 30 degrees, else 0."""
        return int(abs(self.roll) > ATYPICAL_ROLL)


def jitter(rng: np.random.Generator, color: Color, amount: int = 12) -> Color:
    """Jitter a color: brightness by at most ``amount``, each channel by at most half of it."""
    common, *own = rng.uniform(-amount, amount, 4)
    return tuple(min(max(int(value + common + move / 2), 4), 250) for value, move in zip(color, own))


def any_color(rng: np.random.Generator) -> Color:
    """Sample a random color, from dull to vivid."""
    gray, vivid = rng.uniform(30, 225), rng.uniform(0, 110)
    return tuple(min(max(int(gray + vivid * move), 4), 250) for move in rng.uniform(-1, 1, 3))


def scaled(color: Color, factor: float) -> Color:
    """Return a color darkened (factor < 1) or brightened."""
    return tuple(int(min(value * factor, 255)) for value in color)


def skin_color(rng: np.random.Generator) -> Color:
    """Sample a skin tone."""
    return jitter(rng, SKIN_TONES[rng.integers(len(SKIN_TONES))], 10)


def _light(rng: np.random.Generator, extreme_share: float) -> Tuple[float, float]:
    """Sample gain and contrast of the light."""
    if rng.random() >= extreme_share:
        return rng.uniform(0.8, 1.15), rng.uniform(0.05, 0.35)
    kind = rng.integers(3)
    if kind == 0:
        return rng.uniform(0.42, 0.55), rng.uniform(0.05, 0.3)
    if kind == 1:
        return rng.uniform(1.45, 1.7), rng.uniform(0.05, 0.3)
    return rng.uniform(0.85, 1.0), rng.uniform(0.65, 0.8)


def _blur(rng: np.random.Generator, shares: Tuple[float, float]) -> float:
    """Sample the standard deviation of the Gaussian blur, in face heights."""
    normal, heavy = shares
    draw = rng.random()
    if draw < heavy:
        return rng.uniform(BLUR_HEAVY, 1.3 * BLUR_HEAVY)
    if draw < heavy + normal:
        return rng.uniform(BLUR_NORMAL, BLUR_HEAVY)
    return rng.uniform(0, 0.6 * BLUR_NORMAL)


def sample_style(rng: np.random.Generator, max_yaw: float, odd_pose_share: float, extreme_light_share: float,
                 blur_shares: Tuple[float, float]) -> FaceStyle:
    """Sample the appearance of a face.

    Args:
        rng (np.random.Generator): Random number generator.
        max_yaw (float): Maximum yaw to either side in degrees.
        odd_pose_share (float): Fraction of faces with a roll beyond 30 degrees.
        extreme_light_share (float): Fraction of faces with extreme illumination.
        blur_shares (tuple[float, float]): Fractions of faces with normal and with heavy blur.
    """
    odd = rng.random() < odd_pose_share
    roll = rng.choice([-1, 1]) * rng.uniform(32, 48) if odd else np.clip(rng.normal(0, 9), -28, 28)
    gain, contrast = _light(rng, extreme_light_share)
    return FaceStyle(
        width=rng.uniform(0.68, 0.82), taper=rng.uniform(0.04, 0.2),
        yaw=float(np.clip(rng.normal(0, 0.45), -1, 1)) * max_yaw, roll=float(roll), pitch=rng.uniform(-0.5, 0.5),
        skin=skin_color(rng), hair=jitter(rng, HAIR_COLORS[rng.integers(len(HAIR_COLORS))]),
        hair_style=HAIR_STYLES[rng.integers(len(HAIR_STYLES))], hairline=rng.uniform(-0.8, -0.5),
        eye=jitter(rng, ((40, 50, 70), (120, 90, 50), (60, 90, 60))[rng.integers(3)]),
        eye_size=rng.uniform(0.85, 1.25), eye_spacing=rng.uniform(24, 30), brow_tilt=rng.uniform(-0.06, 0.06),
        nose=rng.uniform(0.8, 1.25), mouth_width=rng.uniform(15, 23),
        mouth_open=rng.uniform(0.6, 1.0) if rng.random() < 0.15 else rng.uniform(0, 0.3),
        smile=rng.uniform(-0.05, 0.12), beard=rng.random() < 0.15, glasses=rng.random() < 0.15,
        light_angle=rng.uniform(0, 2 * np.pi), contrast=contrast, gain=gain, blur=_blur(rng, blur_shares),
        clothes=any_color(rng))
