"""JPEGs decoded at a fraction of their size, and annotations that go with them."""
from typing import Optional, Tuple

import cv2
import numpy as np

from .jpeg_header import jpeg_size

_FLAGS = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


def decode_reduced(content: bytes, min_side: int) -> Tuple[Optional[np.ndarray], int]:
    """Decode a JPEG at 1/2, 1/4 or 1/8, which saves most of the work.

    Args:
        content (bytes): An image file.
        min_side (int): The longer side, in pixels, remains at least this long.

    Returns:
        Tuple[np.ndarray | None, int]: Image, BGR, and the factor by which it is smaller; None and 1 where the image is
        no JPEG, too small, or not readable. The sides are rounded up; in continuous coordinates the images differ by
        the factor exactly.
    """
    longer = max(jpeg_size(content) or (0, ))
    for factor in (8, 4, 2):
        if longer >= factor * min_side:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), _FLAGS[factor])
            return image, 1 if image is None else factor
    return None, 1


def reduce_instance(instance: dict, factor: int) -> dict:
    """An instance of MMDetection's datasets as if its image were smaller.

    Args:
        instance (dict): With ``bbox``, and ``mask`` if it has one.
        factor (int): How many times smaller.

    Returns:
        dict: A new instance.

    Raises:
        ValueError: The mask is run-length encoded, and not of an ignored crowd.
    """
    reduced = dict(instance, bbox=[value / factor for value in instance['bbox']])
    mask = instance.get('mask')
    if isinstance(mask, list):
        reduced['mask'] = [[value / factor for value in polygon] for polygon in mask]
    elif mask is not None and not instance.get('ignore_flag'):
        raise ValueError('LoadIntactImage(reduce_to=...) can scale polygons, not run-length encoded masks; leave '
                         'reduce_to out')
    return reduced
