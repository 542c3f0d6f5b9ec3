"""Images with boxes, read from COCO JSON or WIDER FACE's annotation file, without building a dataset."""
import json
import os
import re
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from ..wider_face.annotations import (
    LARGEST_COORDINATE,
    WIDER_FACE_ATTRIBUTES,
    is_safe_name,
    read_wider_face_annotations,
)

_NAMED_FILES = 3
_WIDER_FACE_FILE = re.compile(r'wider_face_(\w+)_bbx_gt\.txt$')


class SampleFormatError(ValueError):
    """Error for malformed annotations; the message names the file and the entry."""


@dataclass(frozen=True, eq=False)
class BoxSample:
    """An image file and its annotated boxes.

    Args:
        path (Path): The image.
        boxes (np.ndarray): Shape (N, 4), float64, x1, y1, x2, y2 in pixels.
        ignore (np.ndarray): Shape (N,), bool: boxes that need not be found, such as crowds.
    """
    path: Path
    boxes: np.ndarray
    ignore: np.ndarray


def load_samples(ann_file: Union[str, Path],
                 image_folder: Union[str, Path],
                 classes: Optional[Sequence[str]] = None,
                 missing: str = 'error') -> List[BoxSample]:
    """Load the images and boxes of a dataset.

    Boxes marked ``iscrowd`` or ``ignore`` (COCO) or ``invalid`` (WIDER FACE), and boxes without area, are ignored.

    Args:
        ann_file (str or Path): COCO JSON file (``.json``) or ``wider_face_*_bbx_gt.txt``.
        image_folder (str or Path): Folder of the images.
        classes (Sequence[str], optional): Names of the COCO categories whose boxes to load. Defaults to None: all.
        missing (str): ``'error'`` or ``'skip'`` for images that do not exist. Defaults to 'error'.

    Returns:
        List[BoxSample]: One sample per image, in the order of the file.

    Raises:
        FileNotFoundError: The annotation file, an image, or with ``'skip'`` every image is missing.
        ValueError: The annotations are malformed, a class is unknown, or ``missing`` is neither value.
    """
    if missing not in ('error', 'skip'):
        raise ValueError(f"missing must be 'error' or 'skip', not {missing!r}")
    path = Path(ann_file)
    if path.suffix.lower() == '.txt':
        entries = _read_wider_face(path, classes)
    else:
        try:
            entries = _read_coco(json.loads(path.read_text(encoding='utf-8')), classes)
        except (ValueError, RecursionError) as error:
            raise SampleFormatError(f'{os.fspath(path)}: {error}') from error
    samples = [BoxSample(Path(image_folder, name), boxes, ignore | (boxes[:, 2:] <= boxes[:, :2]).any(1))
               for name, boxes, ignore in entries]
    return _existing(samples, missing, path)


def default_image_folder(ann_file: Union[str, Path]) -> Path:
    """Return the usual folder of the images of an annotation file.

    Args:
        ann_file (str or Path): Annotation file.

    Returns:
        Path: ``WIDER_<split>/images`` next to the folder of ``wider_face_<split>_bbx_gt.txt``; for any other file,
        ``images`` next to it.
    """
    path = Path(ann_file)
    split = _WIDER_FACE_FILE.match(path.name)
    return path.parent.parent / f'WIDER_{split[1]}' / 'images' if split else path.parent / 'images'


def _existing(samples: List[BoxSample], missing: str, ann_file: Path) -> List[BoxSample]:
    existing = [sample for sample in samples if sample.path.is_file()]
    if existing and (missing == 'skip' or len(existing) == len(samples)):
        return existing
    absent = [str(sample.path) for sample in samples if not sample.path.is_file()]
    if not absent:
        raise SampleFormatError(f'{ann_file}: there is no image')
    more = ', …' if len(absent) > _NAMED_FILES else ''
    raise FileNotFoundError(f'{len(absent)} of the {len(samples)} images of {ann_file} are missing: '
                            f'{", ".join(absent[:_NAMED_FILES])}{more}; correct the image folder, or skip them')


_Entry = Tuple[str, np.ndarray, np.ndarray]


def _read_wider_face(path: Path, classes: Optional[Sequence[str]]) -> List[_Entry]:
    if classes is not None:
        raise ValueError(f'{path}: annotations of WIDER FACE have no classes to choose from')
    annotations = read_wider_face_annotations(path)
    invalid = annotations.attributes[:, WIDER_FACE_ATTRIBUTES.index('invalid')] == 1
    return [(name, _corners(annotations.boxes[annotations.faces(index)]), invalid[annotations.faces(index)])
            for index, name in enumerate(annotations.file_names)]


def _read_coco(coco: Any, classes: Optional[Sequence[str]]) -> List[_Entry]:
    lists = ('images', 'annotations', 'categories')
    if not isinstance(coco, dict) or not all(isinstance(coco.get(key, []), list) for key in lists):
        raise ValueError(f'expected a dict with the lists {", ".join(lists)}')
    names = _read_names(coco.get('images', []))
    categories = None if classes is None else _category_ids(coco.get('categories', []), classes)
    rows: Dict[Any, List[tuple]] = {key: [] for key in names}
    for number, annotation in enumerate(coco.get('annotations', [])):
        image, box, ignore = _read_annotation(number, annotation, names)
        if categories is None or annotation.get('category_id') in categories:
            rows[image].append((box, ignore))
    return [(name, _corners(np.array([box for box, _ in rows[key]], np.float64)),
             np.array([ignore for _, ignore in rows[key]], bool)) for key, name in names.items()]


def _read_names(images: List[Any]) -> Dict[Any, str]:
    names: Dict[Any, str] = {}
    for number, image in enumerate(images):
        key, name = (image.get('id'), image.get('file_name')) if isinstance(image, dict) else (None, None)
        if not isinstance(key, (int, str)) or not isinstance(name, str) or not is_safe_name(name):
            raise ValueError(f'image {number}: expected "id" and a "file_name" below the image folder, found '
                             f'{reprlib.repr(image)}')
        if key in names:
            raise ValueError(f'image {number}: a second image has the id {reprlib.repr(key)}')
        names[key] = name
    return names


def _category_ids(categories: List[Any], classes: Sequence[str]) -> List[Any]:
    known = {item.get('name'): item.get('id') for item in categories
             if isinstance(item, dict) and isinstance(item.get('name'), str)}
    unknown = [name for name in classes if name not in known]
    if unknown:
        raise ValueError(f'no category is called {", ".join(unknown)}; there are {", ".join(map(str, known))}')
    return [known[name] for name in classes]


def _read_annotation(number: int, annotation: Any, names: Dict[Any, str]) -> Tuple[Any, List[float], bool]:
    if not isinstance(annotation, dict):
        raise ValueError(f'annotation {number}: expected a dict, found {reprlib.repr(annotation)}')
    image, box = annotation.get('image_id'), annotation.get('bbox')
    if not isinstance(image, (int, str)) or image not in names:
        raise ValueError(f'annotation {number}: there is no image with the id {reprlib.repr(image)}')
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_coordinate, box)):
        raise ValueError(f'annotation {number}: expected four finite numbers below {LARGEST_COORDINATE:,} as "bbox", '
                         f'found {reprlib.repr(box)}')
    return image, box, bool(annotation.get('iscrowd')) or bool(annotation.get('ignore'))


def _is_coordinate(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) < LARGEST_COORDINATE


def _corners(boxes: np.ndarray) -> np.ndarray:
    """Convert x, y, width, height to corners."""
    boxes = boxes.reshape(-1, 4).astype(np.float64)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
