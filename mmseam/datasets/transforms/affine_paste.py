"""Warp a part of one image straight into another."""
from typing import Tuple

import cv2
import numpy as np

Region = Tuple[float, float, float, float]


def affine_paste(target: np.ndarray, image: np.ndarray, matrix: np.ndarray, region: Region) -> None:
    """Draw a part of an image into ``target`` under an affine map, in place, by one bilinear interpolation.

    Coordinates are continuous, as those of boxes are: the first pixel covers [0, 1]. (OpenCV's warps count from the
    first pixel's middle, by which a picture and boxes that are scaled by the same matrix come apart by up to half a
    pixel.)

    Where the map makes the image less than half as large, bilinear interpolation would skip pixels. The image is then
    first shrunk by a whole factor, each pixel being the mean of those it replaces.

    Args:
        target (np.ndarray): Shape (H, W, 4), uint8, BGRA: OpenCV warps four channels in a third of the time of three.
        image (np.ndarray): Shape (h, w, 4), uint8, BGRA.
        matrix (np.ndarray): Shape (2, 3), from the coordinates of ``image`` to those of ``target``.
        region (Tuple[float, float, float, float]): x1, y1, x2, y2 of the part, in ``image``.
    """
    x1, y1, x2, y2 = region
    corners = np.array([[x1, x2, x2, x1], [y1, y1, y2, y2]]).T @ matrix[:, :2].T + matrix[:, 2]
    # The pixels whose middle lies inside.
    left, top = np.maximum(np.ceil(corners.min(0) - 0.5), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(0) - 0.5), target.shape[1::-1]).astype(int)
    if left >= right or top >= bottom:
        return
    image, matrix = _visible_part(image, matrix, region)
    part = target[top:bottom, left:right]
    shifted = _between_middles(matrix) - [[0, 0, left], [0, 0, top]]
    if matrix[0, 1] == matrix[1, 0] == 0:
        _warp(image, shifted, part)
        return
    inside = np.zeros(part.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.rint(corners - 0.5 - [left, top]).astype(np.int32), 1)
    cv2.copyTo(_warp(image, shifted, np.empty_like(part)), inside, part)


def _warp(image: np.ndarray, matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    size = target.shape[1::-1]
    return cv2.warpAffine(image, matrix, size, dst=target, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _between_middles(matrix: np.ndarray) -> np.ndarray:
    """The map of continuous coordinates as one of pixel indices, which are half a pixel less."""
    shifted = matrix.astype(np.float64)
    shifted[:, 2] += 0.5 * matrix[:, :2].sum(axis=1) - 0.5
    return shifted


def _visible_part(image: np.ndarray, matrix: np.ndarray, region: Region) -> Tuple[np.ndarray, np.ndarray]:
    """The part of the image that is drawn, shrunk by a whole factor if the map halves it; and the map of that."""
    (a, b), (c, d) = matrix[:, :2].tolist()
    factor = max(int(abs(a * d - b * c)**-0.5), 1)
    # Two pixels more than the part, for the interpolation; in whole steps of the factor.
    x1, y1 = (max(int(value) - 2, 0) // factor * factor for value in region[:2])
    part = image[y1:int(region[3]) + 3, x1:int(region[2]) + 3]
    rows, columns = part.shape[0] // factor, part.shape[1] // factor
    if factor > 1 and min(rows, columns) > 0:
        part = cv2.resize(part[:rows * factor, :columns * factor], (columns, rows), interpolation=cv2.INTER_AREA)
    else:
        factor = 1
    return part, matrix @ np.array([[factor, 0, x1], [0, factor, y1], [0, 0, 1]])
