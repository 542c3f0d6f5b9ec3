"""WIDER FACE ground truth: images, faces, keep-lists and attributes, read from the official ``.mat`` files."""
import re
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from mmseam.utils.wider_face_names import WIDER_FACE_ATTRIBUTES

from .mat_file import GroundTruthFormatError, read_mat_file

OFFICIAL_SUBSETS = ('easy', 'medium', 'hard')

#: Limit of coordinates and scores: larger ones, though finite, overflow when multiplied.
LARGEST_NUMBER = 1e30

_IMAGE_SUFFIX = re.compile(r'\.(jpe?g|png|bmp)$', re.IGNORECASE)


def image_key(path: Union[str, Path]) -> str:
    """Return the key of an image in the evaluation: ``event/image`` without leading folders and image extension.

    Args:
        path (str or Path): Path of an image, of its result file without ``.txt``, or the key itself. Slashes and
            backslashes are separators. One extension such as ``.jpg``, ``.JPG`` or ``.png`` is removed.

    Returns:
        str: The last two components of the path, or the only one if there is no folder.
    """
    parts: List[str] = []
    for part in str(path).replace('\\', '/').split('/'):
        if part == '..':  # a key is a path to write to, too
            del parts[-1:]
        elif part not in ('', '.'):
            parts.append(part)
    return _IMAGE_SUFFIX.sub('', '/'.join(parts[-2:]))


@dataclass(frozen=True)
class WIDERFaceGroundTruth:
    """All faces of a set in flat arrays; rows ``offsets[i]:offsets[i + 1]`` belong to image ``i``.

    Args:
        keys (tuple[str]): Unique keys of the N images, see :func:`image_key`.
        boxes (np.ndarray): Shape (F, 4), left, top, width, height in pixels of the original image.
        offsets (np.ndarray): Shape (N + 1,), int64, from 0 to F.
        subsets (dict[str, np.ndarray]): Keep-list of each subset as a boolean mask of shape (F,).
        attributes (dict[str, np.ndarray]): Integer labels of shape (F,) by name in :data:`WIDER_FACE_ATTRIBUTES`.

    Raises:
        ValueError: There is no image, two images have the same key, or the lengths of arrays disagree.
    """

    keys: Tuple[str, ...]
    boxes: np.ndarray
    offsets: np.ndarray
    subsets: Dict[str, np.ndarray] = field(default_factory=dict)
    attributes: Dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError('the ground truth has no images')
        if len(set(self.keys)) != len(self.keys):
            twice = next(key for i, key in enumerate(self.keys) if key in self.keys[:i])
            raise ValueError(f'the ground truth lists image {twice!r} twice')
        if self.boxes.shape != (self.num_faces, 4) or not (np.abs(self.boxes) < LARGEST_NUMBER).all():
            raise ValueError(f'ground truth boxes must be finite and of shape ({self.num_faces}, 4), '
                             f'not {self.boxes.shape}')
        for name, column in {**self.subsets, **self.attributes}.items():
            if column.shape != (self.num_faces, ):
                raise ValueError(f'{name!r} has shape {column.shape} for {self.num_faces} faces')

    @property
    def num_images(self) -> int:
        """int: Number of images, including those without faces."""
        return len(self.keys)

    @property
    def num_faces(self) -> int:
        """int: Number of faces in all images, whether a subset keeps them or not."""
        return int(self.offsets[-1])

    @classmethod
    def from_images(cls,
                    keys: Sequence[str],
                    boxes: Sequence[np.ndarray],
                    subsets: Optional[Mapping[str, Sequence[np.ndarray]]] = None,
                    attributes: Optional[Mapping[str, Sequence[np.ndarray]]] = None) -> 'WIDERFaceGroundTruth':
        """Concatenate per-image arrays.

        Args:
            keys (Sequence[str]): Key of each image.
            boxes (Sequence[np.ndarray]): Faces of each image, shape (G, 4), xywh; may be empty.
            subsets (Mapping, optional): For each subset, one mask of shape (G,) per image.
            attributes (Mapping, optional): For each attribute, one integer array of shape (G,) per image.

        Returns:
            WIDERFaceGroundTruth: The ground truth in flat arrays.
        """
        boxes = [np.asarray(b, dtype=np.float64).reshape(-1, 4) for b in boxes]
        if len(keys) != len(boxes):
            raise ValueError(f'{len(keys)} image keys for {len(boxes)} arrays of boxes')
        offsets = np.concatenate([[0], np.cumsum([len(b) for b in boxes], dtype=np.int64)]).astype(np.int64)

        def flat(table: Optional[Mapping[str, Sequence]], dtype: type) -> Dict[str, np.ndarray]:
            return {name: _concatenate(column, dtype) for name, column in (table or {}).items()}

        return cls(tuple(keys), np.concatenate([np.empty((0, 4)), *boxes]), offsets, flat(subsets, bool),
                   flat(attributes, np.int64))

    def face_image(self) -> np.ndarray:
        """Return the image index of each face, shape (F,)."""
        return np.repeat(np.arange(self.num_images), np.diff(self.offsets))


def _concatenate(column: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *(np.asarray(part, dtype).reshape(-1) for part in column)])


def official_files(folder: Union[str, Path]) -> List[Path]:
    """Return the paths of ``wider_face_val.mat`` and of the keep-lists in the order of :data:`OFFICIAL_SUBSETS`."""
    return [Path(folder) / f'wider_{name}_val.mat' for name in ('face', *OFFICIAL_SUBSETS)]


def read_official_ground_truth(folder: Union[str, Path]) -> WIDERFaceGroundTruth:
    """Read ``wider_face_val.mat`` and the keep-lists ``wider_{easy,medium,hard}_val.mat``.

    The attribute labels are also read from ``wider_face_val.mat``; they equal those of ``wider_face_val_bbx_gt.txt``.

    Args:
        folder (str or Path): ``ground_truth`` folder of the official evaluation tools.

    Returns:
        WIDERFaceGroundTruth: Ground truth with subsets ``easy``, ``medium`` and ``hard`` and all six attributes.

    Raises:
        FileNotFoundError: A file is missing.
        GroundTruthFormatError: A file is damaged or not from the official tools, or a keep-list refers to a
            nonexistent face; the message names the file.
    """
    path, *keep_lists = official_files(folder)
    label_lists = {name: f'{name}_label_list' for name in WIDER_FACE_ATTRIBUTES}
    faces = _load_mat(path, ['event_list', 'file_list', 'face_bbx_list', *label_lists.values()])
    keys = _read_keys(faces, path)
    boxes = _read_boxes(faces['face_bbx_list'], keys, f'{path}, face_bbx_list')
    subsets = {name: _read_subset(keep_list, keys, boxes) for name, keep_list in zip(OFFICIAL_SUBSETS, keep_lists)}
    attributes = {name: _read_labels(faces[label_list], keys, boxes, f'{path}, {label_list}')
                  for name, label_list in label_lists.items()}
    try:
        return WIDERFaceGroundTruth.from_images(list(chain(*keys)), boxes, subsets, attributes)
    except ValueError as error:
        raise GroundTruthFormatError(f'{path}: {error}') from error


def _load_mat(path: Path, names: List[str]) -> dict:
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing: give the "ground_truth" folder of the WIDER FACE evaluation tools')
    return read_mat_file(path, names)


def _read_keys(faces: dict, path: Path) -> List[List[str]]:
    """Return the image keys of each event."""
    events, files = faces['event_list'], faces['file_list']
    texts = [events, *files] if isinstance(events, list) and isinstance(files, list) else [None]
    if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in texts):
        raise GroundTruthFormatError(f'{path}: event_list and file_list do not contain the names of events and images')
    if len(events) != len(files):
        raise GroundTruthFormatError(f'{path}: {len(events)} events, but lists of images for {len(files)}')
    return [[f'{event}/{name}' for name in names] for event, names in zip(events, files)]


def _flatten(lists: Any, keys: List[List[str]], where: str) -> Iterator[Tuple[str, np.ndarray]]:
    """Yield key and array of each image from the nested lists (event, image)."""
    has_events = isinstance(lists, list) and all(isinstance(arrays, list) for arrays in lists)
    if not has_events or list(map(len, lists)) != list(map(len, keys)):
        raise GroundTruthFormatError(f'{where}: its events and images differ from those of file_list')
    for key, array in zip(chain(*keys), chain(*lists)):
        if not isinstance(array, np.ndarray) or array.dtype.kind == 'f' and not (np.abs(array) < LARGEST_NUMBER).all():
            raise GroundTruthFormatError(f'{where}, image {key}: expected finite numbers')
        yield key, array


def _read_boxes(lists: Any, keys: List[List[str]], where: str) -> List[np.ndarray]:
    """Read the boxes of each image."""
    boxes = []
    for key, array in _flatten(lists, keys, where):
        if array.size and array.shape[1] != 4:
            raise GroundTruthFormatError(f'{where}, image {key}: boxes of shape {array.shape}, not (n, 4)')
        boxes.append(array.reshape(-1, 4))
    return boxes


def _read_labels(lists: Any, keys: List[List[str]], boxes: List[np.ndarray], where: str) -> List[np.ndarray]:
    """Read the labels of the faces of each image."""
    labels = []
    for (key, array), rows in zip(_flatten(lists, keys, where), boxes):
        if array.size != len(rows):
            raise GroundTruthFormatError(f'{where}, image {key}: {array.size} labels for {len(rows)} faces')
        labels.append(array)
    return labels


def _read_subset(path: Path, keys: List[List[str]], boxes: List[np.ndarray]) -> List[np.ndarray]:
    """Read a keep-list as masks of the faces of each image."""
    kept = _flatten(_load_mat(path, ['gt_list'])['gt_list'], keys, f'{path}, gt_list')
    return [_keep_mask(index, len(rows), f'{path}, image {key}') for (key, index), rows in zip(kept, boxes)]


def _keep_mask(kept: np.ndarray, num_faces: int, where: str) -> np.ndarray:
    """Convert a list of 1-based MATLAB indices to a mask."""
    index = kept.reshape(-1)
    if index.size and not ((index >= 1) & (index <= num_faces) & (index == np.floor(index))).all():
        raise GroundTruthFormatError(f'{where}: the keep-list has the faces {index.min()}…{index.max()} of {num_faces}')
    mask = np.zeros(num_faces, dtype=bool)
    mask[index.astype(np.int64) - 1] = True
    return mask
