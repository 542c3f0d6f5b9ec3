"""What WIDER FACE evaluation measures against: images, faces, keep-lists, attributes; reader of the ``.mat`` files."""
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from mmseam.utils.wider_face_names import WIDER_FACE_ATTRIBUTES

OFFICIAL_SUBSETS = ('easy', 'medium', 'hard')

_IMAGE_SUFFIX = re.compile(r'\.(jpe?g|png|bmp)$', re.IGNORECASE)


def image_key(path: Union[str, Path]) -> str:
    """Name of an image in every table of the evaluation: ``event/image`` without folder prefix and image extension.

    Args:
        path (str or Path): Path of an image, of its result file without ``.txt``, or the key itself. Both kinds of
            slash separate, and ``.jpg``, ``.JPG``, ``.png`` … are dropped once, as a whole suffix.

    Returns:
        str: The last two components, or the only one where the path has no folder.
    """
    parts = [part for part in str(path).replace('\\', '/').split('/') if part not in ('', '.')]
    return _IMAGE_SUFFIX.sub('', '/'.join(parts[-2:]))


@dataclass(frozen=True)
class WIDERFaceGroundTruth:
    """Faces of a whole set in flat arrays: those of image ``i`` are rows ``offsets[i]:offsets[i + 1]``.

    Args:
        keys (tuple[str]): Name of each of the N images, see :func:`image_key`; unique.
        boxes (np.ndarray): Shape (F, 4), left, top, width, height in pixels of the original image.
        offsets (np.ndarray): Shape (N + 1,), int64, from 0 to F.
        subsets (dict[str, np.ndarray]): Keep-list of each subset as a mask of shape (F,), bool.
        attributes (dict[str, np.ndarray]): Integer labels of shape (F,) by names of :data:`WIDER_FACE_ATTRIBUTES`.

    Raises:
        ValueError: If there is no image, two images share a key, or a length does not agree.
    """

    keys: Tuple[str, ...]
    boxes: np.ndarray
    offsets: np.ndarray
    subsets: Dict[str, np.ndarray] = field(default_factory=dict)
    attributes: Dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError('the ground truth holds no image')
        if len(set(self.keys)) != len(self.keys):
            twice = next(key for i, key in enumerate(self.keys) if key in self.keys[:i])
            raise ValueError(f'the ground truth lists image {twice!r} twice')
        if self.boxes.shape != (self.num_faces, 4) or not np.isfinite(self.boxes).all():
            raise ValueError(f'ground truth boxes must be finite and of shape ({self.num_faces}, 4), '
                             f'not {self.boxes.shape}')
        for name, column in {**self.subsets, **self.attributes}.items():
            if column.shape != (self.num_faces, ):
                raise ValueError(f'{name!r} has shape {column.shape} for {self.num_faces} faces')

    @property
    def num_images(self) -> int:
        """int: Number of images, those without faces included."""
        return len(self.keys)

    @property
    def num_faces(self) -> int:
        """int: Number of faces in all images, kept by a subset or not."""
        return int(self.offsets[-1])

    @classmethod
    def from_images(cls,
                    keys: Sequence[str],
                    boxes: Sequence[np.ndarray],
                    subsets: Optional[Mapping[str, Sequence[np.ndarray]]] = None,
                    attributes: Optional[Mapping[str, Sequence[np.ndarray]]] = None) -> 'WIDERFaceGroundTruth':
        """Join per-image arrays, such as a data set holds in memory.

        Args:
            keys (Sequence[str]): Key of each image.
            boxes (Sequence[np.ndarray]): For each image its faces, shape (G, 4), xywh; empty for none.
            subsets (Mapping, optional): For each subset one mask of shape (G,) an image.
            attributes (Mapping, optional): For each attribute one integer array of shape (G,) an image.

        Returns:
            WIDERFaceGroundTruth: The same in flat arrays.
        """
        boxes = [np.asarray(b, dtype=np.float64).reshape(-1, 4) for b in boxes]
        if len(keys) != len(boxes):
            raise ValueError(f'{len(keys)} image keys for {len(boxes)} arrays of boxes')
        offsets = np.concatenate([[0], np.cumsum([len(b) for b in boxes], dtype=np.int64)]).astype(np.int64)

        def flat(table, dtype):
            return {name: _concatenate(column, dtype) for name, column in (table or {}).items()}

        return cls(tuple(keys), np.concatenate([np.empty((0, 4)), *boxes]), offsets, flat(subsets, bool),
                   flat(attributes, np.int64))

    def face_image(self) -> np.ndarray:
        """np.ndarray: Shape (F,), index of the image that holds each face."""
        return np.repeat(np.arange(self.num_images), np.diff(self.offsets))


def _concatenate(column: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *(np.asarray(part, dtype).reshape(-1) for part in column)])


def read_official_ground_truth(folder: Union[str, Path]) -> WIDERFaceGroundTruth:
    """Read ``wider_face_val.mat`` and the keep-lists ``wider_{easy,medium,hard}_val.mat``.

    The attribute labels come from ``wider_face_val.mat`` too: on val they equal those of ``wider_face_val_bbx_gt.txt``.

    Args:
        folder (str or Path): ``ground_truth`` folder of the official evaluation tools.

    Returns:
        WIDERFaceGroundTruth: With subsets ``easy``, ``medium`` and ``hard`` and all six attributes.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is not what the official tools ship, or a keep-list names a face that is not there.
    """
    faces = _load_mat(Path(folder) / 'wider_face_val.mat')
    boxes = _cells(faces, 'face_bbx_list')
    events = [str(event.item()) for event in faces['event_list'][:, 0]]
    keys = [f'{event}/{image[0].item()}' for event, images in zip(events, faces['file_list'][:, 0]) for image in images]
    subsets = {}
    for name in OFFICIAL_SUBSETS:
        path = Path(folder) / f'wider_{name}_val.mat'
        kept = _cells(_load_mat(path, ['gt_list']), 'gt_list')
        subsets[name] = [_keep_mask(k, len(b), f'{path}, image {key}') for k, b, key in zip(kept, boxes, keys)]
    attributes = {name: _cells(faces, f'{name}_label_list') for name in WIDER_FACE_ATTRIBUTES}
    return WIDERFaceGroundTruth.from_images(keys, boxes, subsets, attributes)


def _load_mat(path: Path, names: Optional[List[str]] = None) -> dict:
    from scipy.io import loadmat
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing: give the "ground_truth" folder of the WIDER FACE evaluation tools')
    try:
        return loadmat(str(path), variable_names=names)
    except (ValueError, TypeError, NotImplementedError, EOFError) as error:
        raise ValueError(f'{path} is not a MATLAB 5 file: {error}') from error


def _cells(mat: dict, name: str) -> list:
    """Contents of a cell array of events of a cell array of images, as one list over all images."""
    if name not in mat:
        raise ValueError(f'no {name!r} in the .mat file: is it one of the official WIDER FACE evaluation tools?')
    return [image[0] for event in mat[name][:, 0] for image in event]


def _keep_mask(kept: np.ndarray, num_faces: int, where: str) -> np.ndarray:
    """Mask of a MATLAB index list, which counts from 1."""
    index = kept.reshape(-1).astype(np.int64)
    if index.size and not 1 <= index.min() <= index.max() <= num_faces:
        raise ValueError(f'{where}: the keep-list names faces {index.min()}…{index.max()} of {num_faces}')
    mask = np.zeros(num_faces, dtype=bool)
    mask[index - 1] = True
    return mask
