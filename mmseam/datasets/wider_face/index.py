"""Cached index of a WIDER FACE split: its annotations, and the size of every image.

The official files hold no image sizes, and reading 12,880 JPEG headers takes long on a cold or remote disk. What was
read is kept in an ``.npz`` file beside the annotation file, or in the user's cache folder where that one is read-only.
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

# Raised whenever the reader or the layout of the cache file changes, so that no old cache file is read.
_VERSION = 2
_NAMED_FILES = 5


@dataclass(frozen=True)
class WIDERFaceIndex:
    """A split's annotations with its image sizes.

    Args:
        ann_file (str): Official annotation file, ``wider_face_*_bbx_gt.txt``.
        image_dir (str): Folder that the file names in it start from, ``WIDER_*/images``.
        annotations (WIDERFaceAnnotations): N images and their faces.
        sizes (np.ndarray): Shape (N, 2), int32: width and height in pixels as ``cv2.imread`` returns the image;
            ``MISSING`` (0) for an image that is not there, ``UNREADABLE`` (-1) for a file without an image header.
    """
    ann_file: str
    image_dir: str
    annotations: WIDERFaceAnnotations
    sizes: np.ndarray

    def usable_images(self, skip: bool, allow_unreadable: bool = False) -> List[int]:
        """Places of the images that are there.

        Args:
            skip (bool): Whether to go on without the others, with a warning, instead of raising.
            allow_unreadable (bool): Whether images without a readable header count as usable. Defaults to False.

        Returns:
            List[int]: Places of the usable images in the split.

        Raises:
            FileNotFoundError: An image is missing and ``skip`` is not set, or none is usable.
            OSError: All images are there, but one is unreadable and ``skip`` is not set.
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
            raise kind(f'{report}. Unpack or repair them, correct the folder, or choose to skip them (dataset option '
                       f"missing='skip') and go on with the other {len(usable)}")
        print_log(f'{report}; skipped', logger='current', level=logging.WARNING)
        return usable

    def _describe(self, refused: np.ndarray) -> str:
        places = np.flatnonzero(refused)
        named = ', '.join(self.annotations.file_names[i] for i in places[:_NAMED_FILES])
        more = ', …' if len(places) > _NAMED_FILES else ''
        return (f'{len(places)} of the {len(refused)} images in {self.ann_file} are missing or unreadable in '
                f'{self.image_dir}: {named}{more}')


def load_wider_face_index(ann_file: str, image_dir: str) -> WIDERFaceIndex:
    """Read a split, from the cache where it is up to date.

    The cache belongs to one annotation file (its path, size and time of change) and one image folder. Which images
    are there is looked up anew each time; sizes are read only for images whose size is not yet known (delete the
    cache after replacing images by others of another size). Several processes may call this at the same time.

    Args:
        ann_file (str): Official annotation file, ``wider_face_*_bbx_gt.txt``.
        image_dir (str): Folder that the file names in it start from, ``WIDER_*/images``.

    Returns:
        WIDERFaceIndex: Annotations and image sizes.

    Raises:
        FileNotFoundError: There is no such annotation file.
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
    """Where the cache may be, the preferred place first. The name tells image folders apart, not file versions."""
    ann_path = Path(os.path.abspath(ann_file))
    places = hashlib.sha256(f'{ann_path}|{os.path.abspath(image_dir)}'.encode()).hexdigest()[:12]
    user_cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'mmseam'
    return [folder / f'{ann_path.stem}.{places}.index.npz' for folder in (ann_path.parent, user_cache)]


def _read_cache(path: Path, key: str) -> Optional[tuple]:
    """Annotations and sizes in a cache file; None where there is no such file or it is of another key or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if str(arrays['key']) != key:
                return None
            names = arrays['file_names'].tobytes().decode().split('\n')
            annotations = WIDERFaceAnnotations(names, arrays['offsets'], arrays['boxes'], arrays['attributes'])
            sizes = arrays['sizes']
    except Exception:  # whatever is wrong with it, and damaged zip files raise nearly anything, it can be made again
        return None
    return (annotations, sizes) if _is_consistent(annotations, sizes) else None


def _is_consistent(annotations: WIDERFaceAnnotations, sizes: np.ndarray) -> bool:
    """Whether the arrays of a cache file are of the types and lengths that were written."""
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
            _write_renamed(path, arrays)
            return
        except OSError as error:
            reason = error
    print_log(f'The index of {index.ann_file} cannot be kept ({reason}); the next start reads all image sizes again',
              logger='current', level=logging.WARNING)


def _write_renamed(path: Path, arrays: Dict[str, np.ndarray]) -> None:
    """Write under a temporary name and rename, so that no process ever reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.parent.stat().st_mode & 0o222:
        # The system would stop everyone but root.
        raise PermissionError(f'{path.parent} is read-only')
    with atomic_write(path, 'wb') as file:
        np.savez(file, **arrays)
