"""Decoded images that are kept, in memory or on disk."""
import hashlib
import os
import warnings
from abc import ABCMeta, abstractmethod
from pathlib import Path
from typing import Dict, Optional

import numpy as np

from mmseam.utils.atomic_write import atomic_write


class ImageCache(metaclass=ABCMeta):
    """Keeps images by name. What it returns is the caller's own: changing it changes no image here.

    Args:
        max_gb (float): No image is added beyond this many gigabytes; those that are there stay.
    """

    def __init__(self, max_gb: float) -> None:
        self._free = int(max_gb * 2**30)

    @abstractmethod
    def get(self, name: str) -> Optional[np.ndarray]:
        """The image of that name, or None."""

    def put(self, name: str, image: np.ndarray) -> None:
        """Keep an image if there is room."""
        if image.nbytes <= self._free:
            self._free -= image.nbytes
            self._store(name, image)

    @abstractmethod
    def _store(self, name: str, image: np.ndarray) -> None:
        """Keep an image."""


class RAMCache(ImageCache):
    """Images in the memory of this process; each worker process has its own, of ``max_gb`` each.

    With ``persistent_workers=False`` workers, and what they keep, end with the epoch.
    """

    def __init__(self, max_gb: float) -> None:
        super().__init__(max_gb)
        self._images: Dict[str, np.ndarray] = {}

    def get(self, name: str) -> Optional[np.ndarray]:
        """A copy of the image, or None."""
        image = self._images.get(name)
        return None if image is None else image.copy()

    def _store(self, name: str, image: np.ndarray) -> None:
        self._images[name] = image.copy()


class DiskCache(ImageCache):
    """Images as ``.npy`` files, mapped into memory: all processes, and later trainings, share them.

    ``max_gb`` bounds what one process adds. In a folder in memory (``/dev/shm/…``) it is a cache in RAM that all
    workers share. Files are written under another name first, so that none is ever seen half. A file that cannot be
    written (the disk is full) is warned of once, and nothing more is added.

    Args:
        max_gb (float): As of :class:`ImageCache`.
        folder (str): Created if need be.
    """

    def __init__(self, max_gb: float, folder: str) -> None:
        super().__init__(max_gb)
        self._folder = Path(folder)

    def get(self, name: str) -> Optional[np.ndarray]:
        """The image, mapped copy-on-write, or None."""
        try:
            image = np.load(self._path(name), mmap_mode='c')
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:  # damaged files raise nearly anything; the image is decoded and kept again
            image = error
        if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim in (2, 3) and image.size:
            return np.asarray(image)
        warnings.warn(f'{self._path(name)} holds no image and is replaced: {image!r}', stacklevel=2)
        return None

    def _store(self, name: str, image: np.ndarray) -> None:
        try:
            with atomic_write(self._path(name), 'wb') as file:
                np.save(file, image)
        except OSError as error:
            self._free = 0
            warnings.warn(f'no more images are cached in {self._folder}: {error}', stacklevel=2)

    def _path(self, name: str) -> Path:
        return self._folder / f'{hashlib.sha1(name.encode()).hexdigest()}.npy'


def build_image_cache(cache: Optional[str], max_gb: float, folder: Optional[str]) -> Optional[ImageCache]:
    """The cache that a config asks for.

    Args:
        cache (str, optional): ``'ram'``, ``'disk'``, or None for no cache.
        max_gb (float): Its size in gigabytes.
        folder (str, optional): Of ``'disk'``.

    Returns:
        ImageCache | None: The cache.

    Raises:
        ValueError: ``cache`` is another word, or ``'disk'`` has no folder.
    """
    if cache is None:
        return None
    if cache == 'ram':
        return RAMCache(max_gb)
    if cache != 'disk':
        raise ValueError(f"cache must be 'ram', 'disk' or None, but is {cache!r}")
    if folder is None:
        raise ValueError("cache='disk' needs cache_dir, the folder for the decoded images")
    return DiskCache(max_gb, folder)


def version_of(path: str) -> str:
    """Name of an image file that changes when the file does; of what is no local file, the path."""
    try:
        status = os.stat(path)
    except OSError:
        return path
    return f'{os.path.abspath(path)}|{status.st_mtime_ns}|{status.st_size}'
