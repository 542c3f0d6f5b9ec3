"""A face in a scene and its occlusion."""
from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np

from .face import Face
from .patch import Patch

# Minimum covered fractions of partial and heavy occlusion.
PARTIAL_FROM, HEAVY_FROM = 0.10, 0.40


def occlusion_class(covered: float) -> int:
    """Return the WIDER FACE occlusion of a covered fraction: 0 none (<10%), 1 partial (<40%), 2 heavy (>=40%)."""
    return int(covered >= PARTIAL_FROM) + int(covered >= HEAVY_FROM)


@dataclass(frozen=True)
class FaceRecord:
    """Annotation of one face: box (x, y, w, h) in pixels, WIDER FACE attributes, covered fraction 0..1."""

    box: Tuple[int, int, int, int]
    blur: int
    expression: int
    illumination: int
    occlusion: int
    pose: int
    covered: float


class PlacedFace:
    """A drawn face with its full mask and its visible mask.

    Args:
        face (Face): The face.
        depth (int): Index of its head among the layers of the scene; later layers are nearer to the viewer.
    """

    def __init__(self, face: Face, depth: int) -> None:
        self.face = face
        self.depth = depth
        self.mask = face.mask
        self._visible = self.mask.values.copy()

    def _visible_under(self, patches: Sequence[Patch]) -> np.ndarray:
        """Compute the visible fraction of each mask pixel with further patches over it."""
        visible = self._visible.copy()
        for patch in patches:
            windows = self.mask.overlap(patch)
            if windows:
                mine, theirs = windows
                visible[mine] *= 1 - patch.opacity[theirs]
        return visible

    def covered(self, patches: Sequence[Patch] = ()) -> float:
        """Compute the covered fraction of the face's pixels in the image, optionally with further patches."""
        visible = self._visible_under(patches) if patches else self._visible
        return round(1 - float(visible.sum() / self.mask.values.sum()), 4)

    def cover(self, patches: Sequence[Patch]) -> None:
        """Occlude the face by patches."""
        self._visible = self._visible_under(patches)

    def record(self) -> FaceRecord:
        """Return the annotation of the face."""
        style, covered = self.face.style, self.covered()
        return FaceRecord(self.face.box(), style.blur_class, style.expression_class, style.illumination_class,
                          occlusion_class(covered), style.pose_class, covered)
