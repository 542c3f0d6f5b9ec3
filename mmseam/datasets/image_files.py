"""Which images of a list are there, and how large they are, without decoding them."""
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, Set, Tuple

import numpy as np
from mmengine.dist import is_main_process
from PIL import Image
from tqdm import tqdm

#: Width and height of an image that is not there, and of a file in which no image size can be read.
MISSING, UNREADABLE = 0, -1
_EXIF_ORIENTATION = 0x0112
_READ_THREADS = 8


def read_image_size(path: str) -> Tuple[int, int]:
    """Width and height of an image file, from its header only.

    Args:
        path (str): Image file.

    Returns:
        Tuple[int, int]: Width and height in pixels after the rotation that its EXIF orientation asks for, which
        ``cv2.imread`` applies; ``(UNREADABLE, UNREADABLE)`` for a file without a readable image header.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            # Orientations 5 to 8 turn the image by a quarter.
            turned = image.getexif().get(_EXIF_ORIENTATION, 1) >= 5
    except (OSError, SyntaxError, ValueError, struct.error):
        return UNREADABLE, UNREADABLE
    return (height, width) if turned else (width, height)


def update_image_sizes(sizes: np.ndarray, names: List[str], image_dir: str) -> np.ndarray:
    """Bring known image sizes up to date: find out which images are there, and read the sizes that are unknown.

    Args:
        sizes (np.ndarray): Shape (N, 2), int32, known widths and heights; ``MISSING`` or ``UNREADABLE`` otherwise.
        names (List[str]): The N file names, relative to ``image_dir``.
        image_dir (str): Folder of the images.

    Returns:
        np.ndarray: Shape (N, 2), int32. Sizes that were known are taken over unless the image is gone.
    """
    present = _present_images(names, image_dir)
    updated = np.where(present[:, None], sizes, np.int32(MISSING))
    unknown = np.flatnonzero(present & (updated[:, 0] <= 0))
    if len(unknown):
        updated[unknown] = _read_sizes([os.path.join(image_dir, names[i]) for i in unknown])
    return updated


def _present_images(names: List[str], image_dir: str) -> np.ndarray:
    """Which images are there, by listing each folder once: 12,880 single look-ups take long on a network disk."""
    listings: Dict[str, Set[str]] = {}
    present = np.zeros(len(names), dtype=bool)
    for i, name in enumerate(names):
        folder, base = os.path.split(name)
        if folder not in listings:
            path = os.path.join(image_dir, folder)
            listings[folder] = set(os.listdir(path)) if os.path.isdir(path) else set()
        present[i] = base in listings[folder]
    return present


def _read_sizes(paths: List[str]) -> np.ndarray:
    with ThreadPoolExecutor(_READ_THREADS) as pool:
        sizes = pool.map(read_image_size, paths)
        bar = tqdm(sizes, total=len(paths), desc='reading image sizes', unit='img', disable=not is_main_process())
        return np.array(list(bar), dtype=np.int32)
