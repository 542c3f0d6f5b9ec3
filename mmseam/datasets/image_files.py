"""Existence and size of image files, without decoding them."""
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, Set, Tuple

import numpy as np
from mmengine.dist import is_main_process
from tqdm import tqdm

from .transforms.image_header import is_image_error, read_size

#: Width and height that stand for a missing image, and for a file without a readable image header.
MISSING, UNREADABLE = 0, -1
_READ_THREADS = 8


def read_image_size(path: str) -> Tuple[int, int]:
    """Read width and height of an image file from its header only.

    Args:
        path (str): Image file.

    Returns:
        Tuple[int, int]: Width and height in pixels as ``cv2.imread`` returns the image; ``(UNREADABLE, UNREADABLE)``
        for a file without a readable image header.
    """
    try:
        with open(path, 'rb') as file:
            return read_size(file) or (UNREADABLE, UNREADABLE)
    except OSError as error:
        if not is_image_error(error):
            raise
        return UNREADABLE, UNREADABLE


def update_image_sizes(sizes: np.ndarray, names: List[str], image_dir: str) -> np.ndarray:
    """Update image sizes: check which images exist, and read the sizes that are unknown.

    Args:
        sizes (np.ndarray): Shape (N, 2), int32, known widths and heights; else ``MISSING`` or ``UNREADABLE``.
        names (List[str]): The N file names, relative to ``image_dir``.
        image_dir (str): Folder of the images.

    Returns:
        np.ndarray: Shape (N, 2), int32. Known sizes are kept unless the image no longer exists.
    """
    present = _find_existing(names, image_dir)
    updated = np.where(present[:, None], sizes, np.int32(MISSING))
    unknown = np.flatnonzero(present & (updated[:, 0] <= 0))
    if len(unknown):
        updated[unknown] = _read_sizes([os.path.join(image_dir, names[i]) for i in unknown])
    return updated


def _find_existing(names: List[str], image_dir: str) -> np.ndarray:
    """Return a mask of the existing images. Each folder is listed once: 12,880 lookups are slow on a network disk."""
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
