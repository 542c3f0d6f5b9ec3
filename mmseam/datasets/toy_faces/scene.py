"""Compose scenes of faces, occluders and distractors, with the occlusion of each face.

The constants at the top of this module set the difficulty.
"""
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np

from .backgrounds import draw_background
from .body import draw_body
from .distractors import draw_distractor
from .face import Face
from .face_style import FaceStyle, sample_style
from .occluders import OCCLUDERS
from .patch import Patch
from .placed_face import FaceRecord, PlacedFace, occlusion_class


@dataclass(frozen=True)
class Event:
    """A type of scene: its fraction of the images, number of faces, and face height relative to the image side."""

    name: str
    share: float
    faces: Tuple[int, int]
    height: Tuple[float, float]


# ------------------------------- difficulty: change it here (and raise GENERATOR_VERSION in generate.py) -------------
EVENTS = (Event('Portrait', 0.3, (1, 3), (0.2, 0.33)), Event('Group', 0.4, (3, 6), (0.13, 0.26)),
          Event('Crowd', 0.3, (5, 8), (0.095, 0.16)))
EMPTY_EVENT, EMPTY_EVERY = 'No_Face', 20  # every 20th image of a split has no face
MIN_FACE_HEIGHT = 14  # pixels, for any image size
SMALL_BIAS = 1.0  # exponent of the uniform sample of log(height); values above 1 favor small faces
# Target fractions of faces with no, partial and heavy occlusion, and the target covered fraction of each class.
OCCLUSION_SHARES = (0.48, 0.32, 0.2)
COVERED_BANDS = ((0.0, 0.0), (0.12, 0.37), (0.42, 0.63))
MAX_COVERED = 0.7
MIN_INSIDE = 0.8  # minimum fraction of a face's area inside the image
MAX_YAW = 35.0
ODD_POSE_SHARE, EXTREME_LIGHT_SHARE, BLUR_SHARES = 0.04, 0.05, (0.12, 0.03)
BODY_SHARE = 0.6
DISTRACTORS, LOOSE_OCCLUDERS = (0, 3), (0, 2)  # number per image
NOISE = (0.0, 5.0)  # standard deviation of the sensor noise, in gray levels
# Occluders by target occlusion class; 'person' is another face in front.
PARTIAL_KINDS = ('sunglasses', 'medical_mask', 'hand', 'bars', 'thing', 'person', 'scarf')
HEAVY_KINDS = ('medical_mask', 'scarf', 'hand', 'bars', 'thing', 'person', 'medical_mask', 'sunglasses')
# ----------------------------------------------------------------------------------------------------------------------
_PLACE_TRIES, _COVER_TRIES = 12, 12


@dataclass(frozen=True)
class Scene:
    """A finished image.

    Attributes:
        image (np.ndarray): ``(size, size, 3)`` uint8 BGR.
        event (str): Name of its event.
        records (list[FaceRecord]): Annotations.
        faces (list[PlacedFace]): The annotated faces, in the same order.
        layers (list[Patch]): Layers above the background, back to front.
    """

    image: np.ndarray
    event: str
    records: List[FaceRecord]
    faces: List[PlacedFace]
    layers: List[Patch]


class SceneBuilder:
    """Builder of a scene, layer by layer.

    A layer is only added if it keeps the occlusion class of all earlier faces.

    Args:
        rng (np.random.Generator): Random number generator.
        image_size (int): Side of the image in pixels.
    """

    def __init__(self, rng: np.random.Generator, image_size: int) -> None:
        self.rng = rng
        self.image_size = image_size
        self.layers: List[Patch] = []
        self.faces: List[PlacedFace] = []

    def add_distractors(self) -> None:
        """Add distractors to the background."""
        for _ in range(self.rng.integers(DISTRACTORS[0], DISTRACTORS[1] + 1)):
            self.layers.append(draw_distractor(self.rng, self._undrawn_face()))

    def add_faces(self, event: Event) -> None:
        """Add the faces of an event, small ones behind large ones, and occlude them."""
        count = self.rng.integers(event.faces[0], event.faces[1] + 1)
        for height in sorted(self._height(event.height) for _ in range(count)):
            # Faces added as occluders count too
            if len(self.faces) < count:
                self._add_face(height)

    def add_loose_occluders(self) -> None:
        """Add occluders that occlude no face, so that an occluder does not imply a face."""
        for _ in range(self.rng.integers(LOOSE_OCCLUDERS[0], LOOSE_OCCLUDERS[1] + 1)):
            kind = ('hand', 'bars', 'thing')[self.rng.integers(3)]
            patch = OCCLUDERS[kind](self.rng, self._undrawn_face(), self.rng.uniform(0.2, 0.6))
            if self._keeps_occlusion([patch]):
                self._add_layers([patch])

    def _height(self, limits: Sequence[float]) -> float:
        low, high = (max(share * self.image_size, MIN_FACE_HEIGHT) for share in limits)
        return low * (high / low)**(self.rng.random()**SMALL_BIAS)

    def _style(self) -> FaceStyle:
        return sample_style(self.rng, MAX_YAW, ODD_POSE_SHARE, EXTREME_LIGHT_SHARE, BLUR_SHARES)

    def _undrawn_face(self) -> Face:
        """Sample a face that only determines the appearance of another object."""
        return Face(self._style(), self.rng.uniform(0, self.image_size, 2), self._height((0.06, 0.35)), self.image_size)

    def _add_face(self, height: float) -> None:
        style, body = self._style(), self.rng.random() < BODY_SHARE
        for _ in range(_PLACE_TRIES):
            face = Face(style, self.rng.uniform(0, self.image_size, 2), height, self.image_size)
            patches = self._person(face, body) if self._inside(face) else None
            if patches and self._keeps_occlusion(patches):
                placed = self._add_person(face, patches)
                self._cover(placed, int(self.rng.choice(3, p=OCCLUSION_SHARES)))
                return

    def _inside(self, face: Face) -> bool:
        half = face.height / 2
        if np.any(face.center < -half) or np.any(face.center > self.image_size + half):
            return False
        return face.mask.values.sum() >= MIN_INSIDE * face.area()

    def _person(self, face: Face, body: bool) -> List[Patch]:
        """Draw the layers of a person, the head last."""
        return [draw_body(self.rng, face), face.draw()] if body else [face.draw()]

    def _add_person(self, face: Face, patches: Sequence[Patch]) -> PlacedFace:
        self._add_layers(patches)
        placed = PlacedFace(face, len(self.layers) - 1)
        self.faces.append(placed)
        return placed

    def _add_layers(self, patches: Sequence[Patch]) -> None:
        self.layers.extend(patches)
        for face in self.faces:
            face.cover(patches)

    def _keeps_occlusion(self, patches: Sequence[Patch], owner: Optional[PlacedFace] = None) -> bool:
        """Return whether all faces but the owner keep their occlusion class and stay below ``MAX_COVERED``."""
        for face in self.faces:
            covered = face.covered(patches)
            changed = occlusion_class(covered) != occlusion_class(face.covered())
            if face is not owner and (changed or covered > MAX_COVERED):
                return False
        return True

    def _cover(self, placed: PlacedFace, target: int) -> None:
        """Add occluders to a face until its covered fraction is within the band of the target class."""
        low, high = COVERED_BANDS[target]
        kinds = (PARTIAL_KINDS, HEAVY_KINDS)[target - 1]
        for _ in range(_COVER_TRIES):
            if placed.covered() >= low:
                return
            self._try_occluder(placed, kinds[self.rng.integers(len(kinds))], low, high)

    def _try_occluder(self, placed: PlacedFace, kind: str, low: float, high: float) -> None:
        # The total counts, including earlier occluders
        share = self.rng.uniform(low, high)
        person = None
        if kind == 'person':
            person = self._neighbor(placed.face, share)
            patches = self._person(person, self.rng.random() < BODY_SHARE) if self._inside(person) else []
        else:
            patches = [OCCLUDERS[kind](self.rng, placed.face, share)]
        covered = placed.covered(patches)
        # Sometimes keep an occluder that covers too little, so that two occluders cover a face together
        enough = covered >= low or (person is None and self.rng.random() < 0.25)
        if enough and covered <= high and self._keeps_occlusion(patches, placed):
            if person is None:
                self._add_layers(patches)
            else:
                self._add_person(person, patches)

    def _neighbor(self, face: Face, share: float) -> Face:
        """Sample a face in front of another one that covers about the given fraction of it."""
        style = self._style()
        height = max(face.height * self.rng.uniform(0.8, 1.4), MIN_FACE_HEIGHT)
        angle = self.rng.uniform(-0.3, np.pi + 0.3)  # beside or below: nearer people are rarely higher in the image
        direction = np.array([np.cos(angle), np.sin(angle)])
        distance = height * 0.55 * np.hypot(style.width * direction[0], direction[1])
        distance += (1 - 2 * share) * face.unit * np.hypot(face.style.width * direction[0], direction[1])
        return Face(style, face.center + distance * direction, height, self.image_size)

    def finish(self, event: str) -> Scene:
        """Render the scene.

        Args:
            event (str): Name of the event.
        """
        image = draw_background(self.rng, self.image_size)
        for layer in self.layers:
            layer.paste(image)
        light = self.rng.uniform(0.88, 1.1) * self.rng.uniform(0.94, 1.06, 3)
        noise = self.rng.standard_normal(image.shape[:2], np.float32) * np.float32(self.rng.uniform(*NOISE))
        channels = [cv2.addWeighted(channel, factor, noise, 1, 0, dtype=cv2.CV_8U)
                    for channel, factor in zip(cv2.split(image), light)]
        image = cv2.merge(channels)
        return Scene(image, event, [face.record() for face in self.faces], self.faces, self.layers)


def render_scene(rng: np.random.Generator, image_size: int = 256, empty: bool = False) -> Scene:
    """Render a random scene.

    Args:
        rng (np.random.Generator): Random number generator.
        image_size (int): Side of the image in pixels. Defaults to 256.
        empty (bool): Whether to render distractors and occluders only, without faces. Defaults to False.

    Returns:
        Scene: Image, annotations and layers.
    """
    builder = SceneBuilder(rng, image_size)
    event = EVENTS[rng.choice(len(EVENTS), p=[event.share for event in EVENTS])]
    builder.add_distractors()
    if not empty:
        builder.add_faces(event)
    builder.add_loose_occluders()
    return builder.finish(EMPTY_EVENT if empty else event.name)
