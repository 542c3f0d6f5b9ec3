"""Cached index of a WIDER FACE split with annotations and image sizes.

The official files contain no image sizes, and reading 12,880 JPEG headers is slow on a cold or remote disk. The index
is cached in an ``.npz`` file next to the annotation file, or in the user's cache folder if that folder is read-only.
"""
import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional

import numpy as np
from mmengine.logging import print_log

from mmseam.utils.atomic_write import atomic_write

from ..image_files import MISSING, UNREADABLE, update_image_sizes
from .annotations import WIDER_FACE_ATTRIBUTES, WIDERFaceAnnotations, read_wider_face_annotations

# Incremented whenever the reader or the layout of the cache file changes, so that old cache files are not used.
_VERSION = 2
_NAMED_FILES = 5


@dataclass(frozen=True)
class WIDERFaceIndex:
    """Annotations and image sizes of a split.

    Args:
        ann_file (str): Official annotation file, ``wider_face_*_bbx_gt.txt``.
        image_dir (str): Folder of the images, ``WIDER_*/images``.
        annotations (WIDERFaceAnnotations): N images and their faces.
        sizes (np.ndarray): Shape (N, 2), int32: width and height in pixels as ``cv2.imread`` returns the image;
            ``MISSING`` (0) for a missing image, ``UNREADABLE`` (-1) for a file without a readable image header.
    """
    ann_file: str
    image_dir: str
    annotations: WIDERFaceAnnotations
    sizes: np.ndarray

    def usable_images(self, skip: bool, allow_unreadable: bool = False) -> List[int]:
        """Find the images that are neither missing nor unreadable.

        Args:
            skip (bool): Whether to skip the other images with a warning instead of raising an error.
            allow_unreadable (bool): Whether images without a readable header count as usable. Defaults to False.

        Returns:
            List[int]: Indices of the usable images in the split.

        Raises:
            FileNotFoundError: An image is missing and ``skip`` is not set, or no image is usable.
            OSError: No image is missing, but one is unreadable and ``skip`` is not set.
        """
        missing = self.sizes[:, 0] == MISSING
        refused = missing if allow_unreadable else missing | (self.sizes[:, 0] == UNREADABLE)
        usable = np.flatnonzero(~refused).tolist()
        if len(usable) == len(refused):
            return usable
        report = self._describe(refused)
        if not usable:
            raise FileNotFoundError(f'{report}. Unpack the images there, or correct the folder')
        if not skip:
            kind = FileNotFoundError if missing.any() else OSError
            raise kind(f'{report}. Unpack or repair them, correct the folder, or skip them (option '
                       f"missing='skip' of the dataset) and continue with the other {len(usable)}")
        print_log(f'{report}; skipped', logger='current', level=logging.WARNING)
        return usable

    def _describe(self, refused: np.ndarray) -> str:
        indices = np.flatnonzero(refused)
        named = ', '.join(self.annotations.file_names[i] for i in indices[:_NAMED_FILES])
        more = ', …' if len(indices) > _NAMED_FILES else ''
        return (f'{len(indices)} of the {len(refused)} images in {self.ann_file} are missing or unreadable in '
                f'{self.image_dir}: {named}{more}')


def load_wider_face_index(ann_file: str, image_dir: str) -> WIDERFaceIndex:
    """Load the index of a split, from the cache if that is up to date.

    The cache is specific to an annotation file (path, size and modification time) and an image folder. Every call
    checks which images exist, but reads only sizes that are not known yet (delete the cache after replacing images by
    others of a different size). Several processes may call this function at the same time.

    Args:
        ann_file (str): Official annotation file, ``wider_face_*_bbx_gt.txt``.
        image_dir (str): Folder of the images, ``WIDER_*/images``.

    Returns:
        WIDERFaceIndex: Annotations and image sizes.

    Raises:
        FileNotFoundError: The annotation file does not exist.
        WIDERFaceFormatError: The annotation file has a bad line.
    """
    if not os.path.isfile(ann_file):
        raise FileNotFoundError(f'{ann_file}: no such annotation file. Unpack wider_face_split.zip into the data '
                                'folder, or correct data_root and ann_file')
    key = _cache_key(ann_file, image_dir)
    cache_files = _cache_files(ann_file, image_dir)
    cached = next(filter(None, (_read_cache(path, key) for path in cache_files)), None)
    if cached is None:
        annotations = read_wider_face_annotations(ann_file)
        known_sizes = np.full((len(annotations), 2), MISSING, dtype=np.int32)
    else:
        annotations, known_sizes = cached
    sizes = update_image_sizes(known_sizes, annotations.file_names, image_dir)
    index = WIDERFaceIndex(ann_file, image_dir, annotations, sizes)
    if not np.array_equal(sizes, known_sizes):
        _write_cache(cache_files, key, index)
    return index


def _cache_key(ann_file: str, image_dir: str) -> str:
    stat = os.stat(ann_file)
    parts = (_VERSION, os.path.abspath(ann_file), stat.st_size, stat.st_mtime_ns, os.path.abspath(image_dir))
    return '|'.join(map(str, parts))


def _cache_files(ann_file: str, image_dir: str) -> List[Path]:
    """List the possible cache files, the preferred one first. The name depends on the folders, not on file versions."""
    ann_path = Path(os.path.abspath(ann_file))
    digest = hashlib.sha256(f'{ann_path}|{os.path.abspath(image_dir)}'.encode()).hexdigest()[:12]
    user_cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'mmseam'
    return [folder / f'{ann_path.stem}.{digest}.index.npz' for folder in (ann_path.parent, user_cache)]


def _read_cache(path: Path, key: str) -> Optional[tuple]:
    """Read annotations and sizes from a cache file; return None if it does not exist, is outdated or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if str(arrays['key']) != key:
                return None
            names = arrays['file_names'].tobytes().decode().split('\n')
            annotations = WIDERFaceAnnotations(names, arrays['offsets'], arrays['boxes'], arrays['attributes'])
            sizes = arrays['sizes']
    except Exception:  # damaged zip files raise nearly anything; the cache can always be rebuilt
        return None
    return (annotations, sizes) if _is_consistent(annotations, sizes) else None


def _is_consistent(annotations: WIDERFaceAnnotations, sizes: np.ndarray) -> bool:
    """Return whether the arrays of a cache file have the expected types and lengths."""
    images, faces = len(annotations), len(annotations.boxes)
    expected = (
        (sizes, np.int32, (images, 2)),
        (annotations.offsets, np.int64, (images + 1, )),
        (annotations.boxes, np.float32, (faces, 4)),
        (annotations.attributes, np.int8, (faces, len(WIDER_FACE_ATTRIBUTES))),
    )
    steps = np.diff(annotations.offsets, prepend=0, append=faces)
    return bool(all(array.dtype == kind and array.shape == shape for array, kind, shape in expected)
                and (steps >= 0).all())


def _write_cache(paths: List[Path], key: str, index: WIDERFaceIndex) -> None:
    annotations = index.annotations
    arrays = dict(
        key=np.array(key),
        file_names=np.frombuffer('\n'.join(annotations.file_names).encode(), dtype=np.uint8),
        offsets=annotations.offsets,
        boxes=annotations.boxes,
        attributes=annotations.attributes,
        sizes=index.sizes)
    for path in paths:
        try:
            _write_atomically(path, arrays)
            return
        except OSError as error:
            reason = error
    print_log(f'The index of {index.ann_file} cannot be cached ({reason}); the next start reads all image sizes again',
              logger='current', level=logging.WARNING)


def _write_atomically(path: Path, arrays: Dict[str, np.ndarray]) -> None:
    """Write atomically, so that no process ever reads an incomplete file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.parent.stat().st_mode & 0o222:
        # The operating system would not stop root.
        raise PermissionError(f'{path.parent} is read-only')
    with atomic_write(path, 'wb') as file:
        np.savez(file, **arrays)
