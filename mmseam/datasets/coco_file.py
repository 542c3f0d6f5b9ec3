"""Reader of COCO JSON files that checks ids, names and boxes, without building a dataset."""
import json
import os
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple, Union

import numpy as np

from .wider_face.annotations import LARGEST_COORDINATE, is_safe_name

_LISTS = ('images', 'annotations', 'categories')


class CocoFormatError(ValueError):
    """Error for a malformed COCO JSON file; the message names the file and the entry."""


@dataclass(frozen=True, eq=False)
class CocoFile:
    """Content of a COCO JSON file.

    Args:
        images (List[dict]): At least one; all have different ``id`` and a ``file_name`` below the image folder.
        annotations (List[dict]): ``image_id`` is that of an image, ``bbox`` has four finite numbers.
        names (Dict[Any, str]): Category names by id; a category without a name is left out.
    """
    images: List[Dict[str, Any]]
    annotations: List[Dict[str, Any]]
    names: Dict[Any, str]

    def by_image(self) -> Dict[Any, List[Dict[str, Any]]]:
        """Return the annotations of each image by its id, both in the order of the file."""
        groups: Dict[Any, List[Dict[str, Any]]] = {image['id']: [] for image in self.images}
        for annotation in self.annotations:
            groups[annotation['image_id']].append(annotation)
        return groups


def read_coco_file(path: Union[str, Path]) -> CocoFile:
    """Read a COCO JSON file.

    Args:
        path (str or Path): The file.

    Returns:
        CocoFile: Its content.

    Raises:
        OSError: The file cannot be read.
        CocoFormatError: The file is malformed.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise CocoFormatError(f'{os.fspath(path)}: {error}') from error
    return check_coco(content, path)


def check_coco(content: Any, path: Union[str, Path]) -> CocoFile:
    """Check the content of a COCO JSON file.

    Args:
        content (Any): The parsed JSON.
        path (str or Path): The file, for messages.

    Returns:
        CocoFile: The content.

    Raises:
        CocoFormatError: It is malformed.
    """
    try:
        return _check_content(content)
    except CocoFormatError as error:
        raise CocoFormatError(f'{os.fspath(path)}: {error}') from None


def box_arrays(annotations: Sequence[Dict[str, Any]]) -> Tuple[np.ndarray, np.ndarray]:
    """Return the boxes of annotations, and which of them need not be found.

    Args:
        annotations (Sequence[dict]): N annotations of a :class:`CocoFile`.

    Returns:
        Tuple[np.ndarray, np.ndarray]: Boxes x1, y1, x2, y2 in pixels, (N, 4) float64; and a mask, (N,) bool, of those
        that are marked ``iscrowd`` or ``ignore`` or have no area.
    """
    boxes = to_corners(np.array([annotation['bbox'] for annotation in annotations]))
    marked = [bool(annotation.get('iscrowd') or annotation.get('ignore')) for annotation in annotations]
    return boxes, np.array(marked, bool) | has_no_area(boxes)


def to_corners(boxes: np.ndarray) -> np.ndarray:
    """Convert x, y, width, height to x1, y1, x2, y2, as (N, 4) float64."""
    boxes = boxes.reshape(-1, 4).astype(np.float64)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)


def has_no_area(boxes: np.ndarray) -> np.ndarray:
    """Return the mask (N,) of the boxes x1, y1, x2, y2 without width or height."""
    return (boxes[:, 2:] <= boxes[:, :2]).any(1)


def _check_content(content: Any) -> CocoFile:
    if not isinstance(content, dict) or not all(isinstance(content.get(key, []), list) for key in _LISTS):
        raise CocoFormatError(f'expected a dict with the lists {", ".join(_LISTS)}')
    images, annotations, categories = (content.get(key, []) for key in _LISTS)
    ids = set()
    for number, image in enumerate(images):
        _check_image(number, image, ids)
        ids.add(image['id'])
    if not images:
        raise CocoFormatError('there is no image')
    for number, annotation in enumerate(annotations):
        _check_annotation(number, annotation, ids)
    return CocoFile(images, annotations, {
        item['id']: item['name'] for item in categories
        if isinstance(item, dict) and _is_id(item.get('id')) and isinstance(item.get('name'), str)})


def _check_image(number: int, image: Any, ids: set) -> None:
    key, name = (image.get('id'), image.get('file_name')) if isinstance(image, dict) else (None, None)
    if not _is_id(key) or not isinstance(name, str) or not is_safe_name(name):
        raise CocoFormatError(f'image {number}: expected "id" and a "file_name" below the image folder, found '
                              f'{reprlib.repr(image)}')
    if key in ids:
        raise CocoFormatError(f'image {number}: a second image has the id {reprlib.repr(key)}')


def _check_annotation(number: int, annotation: Any, ids: set) -> None:
    if not isinstance(annotation, dict):
        raise CocoFormatError(f'annotation {number}: expected a dict, found {reprlib.repr(annotation)}')
    image, box = annotation.get('image_id'), annotation.get('bbox')
    if not _is_id(image) or image not in ids:
        raise CocoFormatError(f'annotation {number}: there is no image with the id {reprlib.repr(image)}')
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_coordinate, box)):
        raise CocoFormatError(f'annotation {number}: expected four finite numbers below {LARGEST_COORDINATE:,} as '
                              f'"bbox", found {reprlib.repr(box)}')
    if not _is_id(annotation.get('category_id', 0)):
        raise CocoFormatError(f'annotation {number}: expected a number as "category_id", found '
                              f'{reprlib.repr(annotation["category_id"])}')


def _is_id(value: Any) -> bool:
    return isinstance(value, (int, str))


def _is_coordinate(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) < LARGEST_COORDINATE
