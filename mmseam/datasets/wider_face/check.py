"""Read-only check of a copy of WIDER FACE."""
import hashlib
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterable, Iterator, List, Optional, Tuple, Union

import numpy as np

from ..transforms import LoadIntactImage
from ..transforms.image_header import is_image_error
from .annotations import (
    IMAGE_SUFFIXES,
    WIDER_FACE_ATTRIBUTES,
    WIDERFaceAnnotations,
    WIDERFaceFormatError,
    read_wider_face_annotations,
)

#: Numbers of images and faces of the official splits; the faces of test are not published.
OFFICIAL_COUNTS = dict(train=(12880, 159424), val=(3226, 39708), test=(16097, None))
#: Width of all images of WIDER FACE.
OFFICIAL_WIDTH = 1024
_THREADS = 4
_BAD = (-1, -1)


@dataclass(frozen=True)
class WIDERFaceFinding:
    """One line of the report on a split.

    Args:
        split (str): ``train``, ``val`` or ``test``.
        level (str): ``error`` (would stop training, validation or testing), ``warning`` (indicates a wrong copy) or
            ``note`` (also true of the official data, and handled).
        what (str): Description of the finding.
        count (int): Number of occurrences.
        items (List[str]): Affected image files; for findings about faces, with the 1-based number of the face.
    """
    split: str
    level: str
    what: str
    count: int
    items: List[str] = field(default_factory=list)


def check_wider_face(root: Union[str, os.PathLike],
                     split: str,
                     progress: Optional[Callable[[Iterable, int], Iterable]] = None) -> List[WIDERFaceFinding]:
    """Check the annotation file of a split, and every image by decoding it.

    Args:
        root (str | os.PathLike): Folder with ``wider_face_split`` and ``WIDER_<split>/images``.
        split (str): ``train``, ``val`` or ``test`` (which has a file list without faces).
        progress (Callable, optional): Wraps an iterable over the images in a progress bar; called with the iterable
            and the number of images. Defaults to None.

    Returns:
        List[WIDERFaceFinding]: Findings, most severe first; the counts are always included.
    """
    root = Path(root)
    image_dir = root / f'WIDER_{split}' / 'images'
    try:
        annotations = _read_list(root / 'wider_face_split', split)
    except (FileNotFoundError, WIDERFaceFormatError) as error:
        return [WIDERFaceFinding(split, 'error', 'annotation file missing or malformed', 1, [str(error)])]
    present = {path.relative_to(image_dir).as_posix() for path in image_dir.rglob('*') if _is_image(path)}
    names = [name for name in annotations.file_names if name in present]
    with ThreadPoolExecutor(_THREADS) as pool:
        images = pool.map(lambda name: _read_image(image_dir / name), names)
        images = list(progress(images, len(names)) if progress else images)
    findings = [
        *_check_counts(split, annotations),
        *_check_files(split, annotations.file_names, present, names, images),
        *_check_faces(split, annotations, dict(zip(names, (size for size, _, _ in images))))
    ]
    levels = ('error', 'warning', 'note')
    return sorted((finding for finding in findings if finding.count), key=lambda finding: levels.index(finding.level))


def _read_list(folder: Path, split: str) -> WIDERFaceAnnotations:
    if split != 'test':
        return read_wider_face_annotations(folder / f'wider_face_{split}_bbx_gt.txt')
    path = folder / 'wider_face_test_filelist.txt'
    try:
        lines = path.read_text(encoding='utf-8-sig').split('\n')
    except UnicodeDecodeError as error:
        raise WIDERFaceFormatError(f'{path}: expected UTF-8 text ({error})') from error
    names = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    no_faces = np.zeros((0, 4 + len(WIDER_FACE_ATTRIBUTES)))
    return WIDERFaceAnnotations(names, np.zeros(len(names) + 1, dtype=np.int64), no_faces[:, :4], no_faces[:, 4:])


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def _read_image(path: Path) -> Tuple[Tuple[int, int], str, str]:
    """Return width and height, a digest of the content, and the error message, if any."""
    digest = str(path)  # if the file cannot be read: equal to no other digest
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        height, width = LoadIntactImage().transform(dict(img_path=str(path)))['ori_shape']
    except OSError as error:
        if not is_image_error(error):
            raise
        return _BAD, digest, str(error)
    return (width, height), digest, ''


def _check_counts(split: str, annotations: WIDERFaceAnnotations) -> Iterator[WIDERFaceFinding]:
    for what, count, official in zip(('images', 'faces'), (len(annotations), len(annotations.boxes)),
                                     OFFICIAL_COUNTS[split]):
        if official is not None:
            level = 'note' if count == official else 'warning'
            yield WIDERFaceFinding(split, level, f'{what} listed (official: {official:,})', count)


def _check_files(split: str, listed: List[str], present: set, names: List[str],
                 images: List[tuple]) -> Iterator[WIDERFaceFinding]:
    """Find image files that are missing, broken, of another size, duplicated, or not part of the split."""

    def finding(level: str, what: str, items: List[str]) -> WIDERFaceFinding:
        return WIDERFaceFinding(split, level, what, len(items), items)

    yield finding('error', 'missing images', [name for name in listed if name not in present])
    yield finding('error', 'unreadable or truncated images', [problem for _, _, problem in images if problem])
    sizes = [(name, *size) for name, (size, _, _) in zip(names, images)]
    yield finding('warning', f'images not {OFFICIAL_WIDTH} pixels wide (were they scaled? then boxes do not fit)',
                  [f'{name}: {w}×{h}' for name, w, h in sizes if w not in (OFFICIAL_WIDTH, _BAD[0])])
    yield finding('warning', 'images missing from the annotation file', sorted(present - set(listed)))
    by_digest = defaultdict(list)
    for name, (_, digest, _) in zip(names, images):
        by_digest[digest].append(name)
    yield finding('warning', 'images with identical content', [' = '.join(same) for same in by_digest.values()
                                                               if len(same) > 1])


def _check_faces(split: str, annotations: WIDERFaceAnnotations, sizes: dict) -> Iterator[WIDERFaceFinding]:
    """Find faces that are ignored or clipped in training; boxes are compared with the images that could be read."""
    image = np.repeat(np.arange(len(annotations)), np.diff(annotations.offsets))
    limits = np.array([sizes.get(name, _BAD) for name in annotations.file_names], dtype=np.float64)[image]
    limits[limits < 0] = np.inf
    left_top, size = annotations.boxes[:, :2], annotations.boxes[:, 2:]
    right_bottom = left_top + size
    empty = (size <= 0).any(axis=1)
    outside = ~empty & ((right_bottom <= 0) | (left_top >= limits)).any(axis=1)
    across = ~empty & ~outside & ((left_top < 0) | (right_bottom > limits)).any(axis=1)
    _, first = np.unique(np.column_stack([image, annotations.boxes]), axis=0, return_index=True)
    repeated = np.ones(len(image), dtype=bool)
    repeated[first] = False
    for level, what, faces in (
        ('warning', 'boxes completely outside their image (not trained on)', outside),
        ('note', 'boxes that extend beyond their image (clipped in training)', across),
        ('note', 'boxes of zero width or height (not trained on)', empty),
        ('note', 'faces marked invalid (not trained on)',
         annotations.attributes[:, WIDER_FACE_ATTRIBUTES.index('invalid')] == 1),
        ('note', 'faces with the same box as another in their image', repeated),
    ):
        rows = np.flatnonzero(faces)
        items = [f'{annotations.file_names[image[row]]}, face {row - annotations.offsets[image[row]] + 1}'
                 for row in rows]
        yield WIDERFaceFinding(split, level, what, len(rows), items)
