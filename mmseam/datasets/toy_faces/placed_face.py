"""A face in a scene, and how much of it is covered."""
from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np

from .face import Face
from .patch import Patch

# Covered share from which a face counts as partially and as heavily occluded.
PARTIAL_FROM, HEAVY_FROM = 0.10, 0.40


def occlusion_class(covered: float) -> int:
    """WIDER FACE occlusion of a covered share: 0 none (< 10 %), 1 partial (10 % to < 40 %), 2 heavy (>= 40 %)."""
    return int(covered >= PARTIAL_FROM) + int(covered >= HEAVY_FROM)


@dataclass(frozen=True)
class FaceRecord:
    """What is written about one face: box (x, y, w, h) in pixels, WIDER FACE attributes, covered share 0..1."""

    box: Tuple[int, int, int, int]
    blur: int
    expression: int
    illumination: int
    occlusion: int
    pose: int
    covered: float


class PlacedFace:
    """A face that was drawn, and its mask before and after other things were laid over it.

    Args:
        face (Face): The face.
        depth (int): Index of its head among the layers of the scene; later layers are nearer to the viewer.
    """

    def __init__(self, face: Face, depth: int) -> None:
        self.face = face
        self.depth = depth
        self.mask = face.mask
        self._visible = self.mask.values.copy()

    def _behind(self, patches: Sequence[Patch]) -> np.ndarray:
        """Share of every mask pixel still visible once the patches lie over it, too."""
        visible = self._visible.copy()
        for patch in patches:
            windows = self.mask.overlap(patch)
            if windows:
                mine, theirs = windows
                visible[mine] *= 1 - patch.opacity[theirs]
        return visible

    def covered(self, patches: Sequence[Patch] = ()) -> float:
        """Covered share of the face's pixels in the image, now or if further patches were laid over it."""
        visible = self._behind(patches) if patches else self._visible
        return round(1 - float(visible.sum() / self.mask.values.sum()), 4)

    def cover(self, patches: Sequence[Patch]) -> None:
        """Lays patches over the face."""
        self._visible = self._behind(patches)

    def record(self) -> FaceRecord:
        """FaceRecord: The annotation of the face as it stands."""
        style, covered = self.face.style, self.covered()
        return FaceRecord(self.face.box(), style.blur_class, style.expression_class, style.illumination_class,
                          occlusion_class(covered), style.pose_class, covered)
