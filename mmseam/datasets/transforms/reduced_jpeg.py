"""Decode JPEGs at a fraction of their size, and scale the annotations accordingly."""
from typing import Optional, Tuple

import cv2
import numpy as np

from .jpeg_header import jpeg_size

_FLAGS = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


def decode_reduced(content: bytes, min_side: int) -> Tuple[Optional[np.ndarray], int]:
    """Decode a JPEG at 1/2, 1/4 or 1/8 of its size, which saves most of the work.

    Args:
        content (bytes): Content of an image file.
        min_side (int): Minimum length of the longer side of the result, in pixels.

    Returns:
        Tuple[np.ndarray | None, int]: Image (BGR) and reduction factor; None and 1 if the image is not a JPEG, too
        small, or not readable. The sides are rounded up; in continuous coordinates the factor is exact.
    """
    longer = max(jpeg_size(content) or (0, ))
    for factor in (8, 4, 2):
        if longer >= factor * min_side:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), _FLAGS[factor])
            return image, 1 if image is None else factor
    return None, 1


def reduce_instance(instance: dict, factor: int) -> dict:
    """Scale an instance of MMDetection's datasets down with its image.

    Args:
        instance (dict): Instance with ``bbox`` and, optionally, ``mask``.
        factor (int): Factor by which coordinates are divided.

    Returns:
        dict: The scaled instance.

    Raises:
        ValueError: The mask is run-length encoded and does not belong to an ignored crowd.
    """
    reduced = dict(instance, bbox=[value / factor for value in instance['bbox']])
    mask = instance.get('mask')
    if isinstance(mask, list):
        reduced['mask'] = [[value / factor for value in polygon] for polygon in mask]
    elif mask is not None and not instance.get('ignore_flag'):
        raise ValueError('LoadIntactImage(reduce_to=...) can scale polygons, not run-length encoded masks; leave '
                         'reduce_to out')
    return reduced
