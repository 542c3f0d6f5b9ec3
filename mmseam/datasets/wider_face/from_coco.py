"""Converter from COCO JSON to WIDER FACE's annotation format."""
import json
import os
import reprlib
from typing import Any, List, NoReturn, Tuple, Union

import numpy as np

from mmseam.utils.atomic_write import atomic_write

from .annotations import (
    IMAGE_SUFFIXES,
    LARGEST_COORDINATE,
    WIDER_FACE_ATTRIBUTES,
    WIDERFaceAnnotations,
    WIDERFaceFormatError,
    is_safe_name,
)

_NO_FACES = ' '.join(['0'] * (4 + len(WIDER_FACE_ATTRIBUTES)))
_LARGEST_LABEL = 127


def coco_to_wider_face(coco: dict) -> WIDERFaceAnnotations:
    """Convert COCO annotations with attributes, such as those of :func:`~mmseam.datasets.wider_face_to_coco`.

    Images and the faces of each image keep their order. ``iscrowd`` and ``ignore`` are not used; the attributes tell
    whether a face is invalid.

    Args:
        coco (dict): ``images`` with ``id`` and ``file_name`` (``event/name.jpg``), ``annotations`` with ``id``,
            ``image_id``, ``bbox`` (x, y, width, height in pixels) and ``attributes``, a dict with integers for all of
            :data:`~mmseam.datasets.WIDER_FACE_ATTRIBUTES`.

    Returns:
        WIDERFaceAnnotations: Images and faces.

    Raises:
        WIDERFaceFormatError: A value is missing or invalid; the message names the image or annotation.
    """
    if not isinstance(coco, dict) or not all(isinstance(coco.get(key), list) for key in ('images', 'annotations')):
        raise WIDERFaceFormatError('expected COCO annotations, a dict with the lists "images" and "annotations"')
    indices, names = _read_images(coco['images'])
    faces = sorted((_read_face(number, face, indices) for number, face in enumerate(coco['annotations'])),
                   key=lambda row: row[0])
    categories = sorted({reprlib.repr(face.get('category_id')) for face in coco['annotations']})
    if len(categories) > 1:
        raise WIDERFaceFormatError(f'expected one category, found {" and ".join(categories)}: keep only the faces')
    counts = np.bincount([index for index, _, _ in faces], minlength=len(names)) if faces else np.zeros(len(names))
    return WIDERFaceAnnotations(
        names,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([box for _, box, _ in faces], dtype=np.float32).reshape(-1, 4),
        np.array([labels for _, _, labels in faces], dtype=np.int8).reshape(-1, len(WIDER_FACE_ATTRIBUTES)))


def format_wider_face_annotations(annotations: WIDERFaceAnnotations) -> str:
    """Format annotations like the official files, including the trailing blank in the line of a face.

    Args:
        annotations (WIDERFaceAnnotations): Images and faces.

    Returns:
        str: Content of the annotation file; integral numbers are written without a decimal point.
    """
    lines: List[str] = []
    for index, name in enumerate(annotations.file_names):
        faces = annotations.faces(index)
        rows = [
            ' '.join([*(np.format_float_positional(value, trim='-') for value in box), *map(str, labels)])
            for box, labels in zip(annotations.boxes[faces], annotations.attributes[faces].tolist())
        ]
        lines += [name, str(len(rows)), *(f'{row} ' for row in rows or [_NO_FACES])]
    return '\n'.join(lines) + '\n'


def convert_coco_to_wider_face(json_file: Union[str, os.PathLike],
                               out_file: Union[str, os.PathLike]) -> Tuple[int, int]:
    """Convert a COCO JSON file to an annotation file of WIDER FACE.

    Args:
        json_file (str | os.PathLike): COCO JSON file, see :func:`coco_to_wider_face`.
        out_file (str | os.PathLike): Annotation file, written atomically.

    Returns:
        Tuple[int, int]: Number of images and of faces written.

    Raises:
        FileNotFoundError: The JSON file does not exist.
        WIDERFaceFormatError: It does not contain COCO annotations of faces with attributes; the message names the file
            and the entry.
    """
    try:
        with open(json_file, encoding='utf-8') as file:
            annotations = coco_to_wider_face(json.load(file))
    except (ValueError, RecursionError) as error:
        raise WIDERFaceFormatError(f'{os.fspath(json_file)}: {error}') from error
    with atomic_write(os.fspath(out_file)) as file:
        file.write(format_wider_face_annotations(annotations))
    return len(annotations), len(annotations.boxes)


def _read_images(images: List[dict]) -> Tuple[dict, List[str]]:
    """Return the index of each image id, and the file names."""
    indices, names = {}, []
    for number, image in enumerate(images):
        key, name = (image.get('id'), image.get('file_name')) if isinstance(image, dict) else (None, None)
        if not isinstance(key, (int, str)) or not isinstance(name, str):
            _fail(f'image {number}', '"id" and "file_name"', image)
        if not name.lower().endswith(IMAGE_SUFFIXES) or not is_safe_name(name):
            kinds = ', '.join(IMAGE_SUFFIXES)
            _fail(f'image id {key}', f'a file name below the image folder that ends with {kinds}', name)
        indices[key] = number
        names.append(name)
    if not names:
        raise WIDERFaceFormatError('there is no image')
    for what, values in (('id', indices), ('file_name', set(names))):
        if len(values) < len(names):
            raise WIDERFaceFormatError(f'two images have the same {what}')
    return indices, names


def _read_face(number: int, face: dict, indices: dict) -> Tuple[int, List[float], List[int]]:
    """Return the index of the image, the box, and the attribute values in the order of the file's columns."""
    has_id = isinstance(face, dict) and 'id' in face
    where = f'annotation {reprlib.repr(face["id"])}' if has_id else f'annotation number {number}'
    try:
        image, box, labels = face['image_id'], face['bbox'], [face['attributes'][key] for key in WIDER_FACE_ATTRIBUTES]
    except (KeyError, TypeError):
        _fail(where, f'"image_id", "bbox" and "attributes" with {", ".join(WIDER_FACE_ATTRIBUTES)}', face)
    if not isinstance(image, (int, str)) or image not in indices:
        raise WIDERFaceFormatError(f'{where}: there is no image with the id {reprlib.repr(image)}')
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_coordinate, box)):
        _fail(where, f'four finite numbers below {LARGEST_COORDINATE:,} as "bbox"', box)
    if not all(isinstance(label, int) and 0 <= label <= _LARGEST_LABEL for label in labels):
        _fail(where, f'whole numbers from 0 to {_LARGEST_LABEL} as attributes', face['attributes'])
    return indices[image], box, labels


def _is_coordinate(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) < LARGEST_COORDINATE


def _fail(where: str, expected: str, found: Any) -> NoReturn:
    raise WIDERFaceFormatError(f'{where}: expected {expected}, found {reprlib.repr(found)}')
