"""Caches of decoded images, in memory or on disk."""
import hashlib
import os
import warnings
from abc import ABCMeta, abstractmethod
from pathlib import Path
from typing import Dict, Optional

import numpy as np

from mmseam.utils.atomic_write import atomic_write


class ImageCache(metaclass=ABCMeta):
    """Base class of caches of images by name. Callers may change the returned images; the cache is not affected.

    Args:
        max_gb (float): Maximum size in gigabytes. When it is reached, no image is added; none is removed.
    """

    def __init__(self, max_gb: float) -> None:
        self._free = int(max_gb * 2**30)

    @abstractmethod
    def get(self, name: str) -> Optional[np.ndarray]:
        """Return the image of this name, or None."""

    def put(self, name: str, image: np.ndarray) -> None:
        """Store an image if there is room."""
        if image.nbytes <= self._free:
            self._free -= image.nbytes
            self._store(name, image)

    @abstractmethod
    def _store(self, name: str, image: np.ndarray) -> None:
        """Store an image."""


class RAMCache(ImageCache):
    """Cache in the memory of this process; every worker process has a separate one of up to ``max_gb``.

    With ``persistent_workers=False``, the workers and their caches end with the epoch.
    """

    def __init__(self, max_gb: float) -> None:
        super().__init__(max_gb)
        self._images: Dict[str, np.ndarray] = {}

    def get(self, name: str) -> Optional[np.ndarray]:
        """Return a copy of the image, or None."""
        image = self._images.get(name)
        return None if image is None else image.copy()

    def _store(self, name: str, image: np.ndarray) -> None:
        self._images[name] = image.copy()


class DiskCache(ImageCache):
    """Cache of memory-mapped ``.npy`` files, shared by all processes and later trainings.

    ``max_gb`` limits what one process adds. A folder in ``/dev/shm`` makes it a cache in RAM that all workers share.
    Files are written atomically. If a file cannot be written (for example, the disk is full), there is one warning
    and nothing more is added.

    Args:
        max_gb (float): Maximum size in gigabytes that this process adds.
        folder (str): Folder of the files; created if missing.
    """

    def __init__(self, max_gb: float, folder: str) -> None:
        super().__init__(max_gb)
        self._folder = Path(folder)

    def get(self, name: str) -> Optional[np.ndarray]:
        """Return the image, memory-mapped copy-on-write, or None."""
        try:
            image = np.load(self._path(name), mmap_mode='c')
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:  # damaged files raise nearly anything; the image is decoded and stored again
            image = error
        if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim in (2, 3) and image.size:
            return np.asarray(image)
        warnings.warn(f'{self._path(name)} is not an image and is replaced: {image!r}', stacklevel=2)
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
    """Build an image cache.

    Args:
        cache (str, optional): ``'ram'``, ``'disk'``, or None for no cache.
        max_gb (float): Maximum size in gigabytes.
        folder (str, optional): Folder of a ``'disk'`` cache.

    Returns:
        ImageCache | None: The cache.

    Raises:
        ValueError: ``cache`` is unknown, or ``'disk'`` has no folder.
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


def cache_key(path: str) -> str:
    """Return a name for an image that changes when the file changes; for anything but a local file, the path."""
    try:
        status = os.stat(path)
    except OSError:
        return path
    return f'{os.path.abspath(path)}|{status.st_mtime_ns}|{status.st_size}'
