"""Warp a region of one image directly into another."""
from typing import Tuple

import cv2
import numpy as np

Region = Tuple[float, float, float, float]


def affine_paste(target: np.ndarray, image: np.ndarray, matrix: np.ndarray, region: Region) -> None:
    """Warp a region of an image into ``target``, in place, with one bilinear interpolation.

    Coordinates are continuous, like those of boxes: the first pixel covers [0, 1]. (OpenCV's warps count from the
    center of the first pixel, so an image and boxes scaled by the same matrix would differ by up to half a pixel.)

    If the matrix shrinks the image to less than half its size, bilinear interpolation would skip pixels. The image is
    then first shrunk by an integer factor with area averaging.

    Args:
        target (np.ndarray): Shape (H, W, 4), uint8, BGRA. OpenCV warps four channels in a third of the time of three.
        image (np.ndarray): Shape (h, w, 4), uint8, BGRA.
        matrix (np.ndarray): Shape (2, 3), maps coordinates of ``image`` to those of ``target``.
        region (Tuple[float, float, float, float]): x1, y1, x2, y2 of the region in ``image``.
    """
    x1, y1, x2, y2 = region
    corners = np.array([[x1, x2, x2, x1], [y1, y1, y2, y2]]).T @ matrix[:, :2].T + matrix[:, 2]
    # The pixels whose center is inside
    left, top = np.maximum(np.ceil(corners.min(0) - 0.5), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(0) - 0.5), target.shape[1::-1]).astype(int)
    if left >= right or top >= bottom:
        return
    image, matrix = _crop_and_shrink(image, matrix, region)
    part = target[top:bottom, left:right]
    shifted = _between_pixel_indices(matrix) - [[0, 0, left], [0, 0, top]]
    if matrix[0, 1] == matrix[1, 0] == 0:
        _warp(image, shifted, part)
        return
    inside = np.zeros(part.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.rint(corners - 0.5 - [left, top]).astype(np.int32), 1)
    cv2.copyTo(_warp(image, shifted, np.empty_like(part)), inside, part)


def _warp(image: np.ndarray, matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    size = target.shape[1::-1]
    return cv2.warpAffine(image, matrix, size, dst=target, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _between_pixel_indices(matrix: np.ndarray) -> np.ndarray:
    """Convert a matrix for continuous coordinates to one for pixel indices, which are smaller by 0.5."""
    shifted = matrix.astype(np.float64)
    shifted[:, 2] += 0.5 * matrix[:, :2].sum(axis=1) - 0.5
    return shifted


def _crop_and_shrink(image: np.ndarray, matrix: np.ndarray, region: Region) -> Tuple[np.ndarray, np.ndarray]:
    """Crop the region, shrink it by an integer factor if the matrix halves it, and adapt the matrix."""
    (a, b), (c, d) = matrix[:, :2].tolist()
    factor = max(int(abs(a * d - b * c)**-0.5), 1)
    # A margin of two pixels for the interpolation, aligned to multiples of the factor
    x1, y1 = (max(int(value) - 2, 0) // factor * factor for value in region[:2])
    part = image[y1:int(region[3]) + 3, x1:int(region[2]) + 3]
    rows, columns = part.shape[0] // factor, part.shape[1] // factor
    if factor > 1 and min(rows, columns) > 0:
        part = cv2.resize(part[:rows * factor, :columns * factor], (columns, rows), interpolation=cv2.INTER_AREA)
    else:
        factor = 1
    return part, matrix @ np.array([[factor, 0, x1], [0, factor, y1], [0, 0, 1]])
