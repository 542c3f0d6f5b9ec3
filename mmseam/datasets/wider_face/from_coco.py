"""WIDER FACE's official annotation text from COCO json."""
import json
import os
from typing import List, Tuple, Union

import numpy as np

from mmseam.utils.atomic_write import atomic_write

from .annotations import IMAGE_SUFFIXES, WIDER_FACE_ATTRIBUTES, WIDERFaceAnnotations

_NO_FACES = ' '.join(['0'] * (4 + len(WIDER_FACE_ATTRIBUTES)))
_LARGEST_LABEL = 127


def coco_to_wider_face(coco: dict) -> WIDERFaceAnnotations:
    """Read what :func:`~mmseam.datasets.wider_face_to_coco` makes, or any COCO json of one class with attributes.

    Images keep their order, and so do the faces of each image. ``iscrowd`` and ``ignore`` are not read: whether a face
    is invalid stands in its attributes.

    Args:
        coco (dict): ``images`` with ``id`` and ``file_name`` (``event/name.jpg``), ``annotations`` with ``id``,
            ``image_id``, ``bbox`` (x, y, width, height in pixels) and ``attributes``, a dict with whole numbers for all
            of :data:`~mmseam.datasets.WIDER_FACE_ATTRIBUTES`.

    Returns:
        WIDERFaceAnnotations: Images and faces.

    Raises:
        ValueError: Something of that is missing or not of that kind; the message names the image or annotation.
    """
    if not isinstance(coco, dict) or not all(isinstance(coco.get(key), list) for key in ('images', 'annotations')):
        raise ValueError('expected COCO annotations, a dict with the lists "images" and "annotations"')
    places, names = _read_images(coco['images'])
    categories = {face.get('category_id') for face in coco['annotations']}
    if len(categories) > 1:
        raise ValueError(f'expected one category, found {sorted(map(str, categories))}: keep the faces only')
    faces = sorted(((_place(face, places), *_read_face(face)) for face in coco['annotations']), key=lambda row: row[0])
    counts = np.bincount([place for place, _, _ in faces], minlength=len(names)) if faces else np.zeros(len(names))
    return WIDERFaceAnnotations(
        names,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array([box for _, box, _ in faces], dtype=np.float32).reshape(-1, 4),
        np.array([labels for _, _, labels in faces], dtype=np.int8).reshape(-1, len(WIDER_FACE_ATTRIBUTES)))


def format_wider_face_annotations(annotations: WIDERFaceAnnotations) -> str:
    """Text of an annotation file as the official ones are, the blank at the end of a face's line included.

    Args:
        annotations (WIDERFaceAnnotations): Images and faces.

    Returns:
        str: The text; numbers that are whole are written without a point.
    """
    lines: List[str] = []
    for place, name in enumerate(annotations.file_names):
        faces = annotations.faces(place)
        rows = [
            ' '.join([*(np.format_float_positional(value, trim='-') for value in box), *map(str, labels)])
            for box, labels in zip(annotations.boxes[faces], annotations.attributes[faces].tolist())
        ]
        lines += [name, str(len(rows)), *(f'{row} ' for row in rows or [_NO_FACES])]
    return '\n'.join(lines) + '\n'


def convert_coco_to_wider_face(json_file: Union[str, os.PathLike],
                               out_file: Union[str, os.PathLike]) -> Tuple[int, int]:
    """Write COCO json as an annotation file of WIDER FACE.

    Args:
        json_file (str | os.PathLike): The COCO json, see :func:`coco_to_wider_face`.
        out_file (str | os.PathLike): The annotation file; written under a temporary name and renamed.

    Returns:
        Tuple[int, int]: Number of images and of faces written.

    Raises:
        FileNotFoundError: There is no such json file.
        ValueError: It is no COCO json of faces with attributes; the message names the file and the place in it.
    """
    try:
        with open(json_file, encoding='utf-8') as file:
            annotations = coco_to_wider_face(json.load(file))
    except ValueError as error:
        raise ValueError(f'{os.fspath(json_file)}: {error}') from error
    with atomic_write(os.fspath(out_file)) as file:
        file.write(format_wider_face_annotations(annotations))
    return len(annotations), len(annotations.boxes)


def _read_images(images: List[dict]) -> Tuple[dict, List[str]]:
    """Place of each image id, and the file names."""
    places, names = {}, []
    for image in images:
        try:
            key, name = image['id'], image['file_name']
        except (KeyError, TypeError):
            raise ValueError(f'image {len(names)}: expected "id" and "file_name", found {image!r}') from None
        if not str(name).lower().endswith(IMAGE_SUFFIXES) or '\n' in name:
            raise ValueError(f'image id {key}: expected a file name ending with {", ".join(IMAGE_SUFFIXES)}, '
                             f'found {name!r}')
        places[key] = len(names)
        names.append(name)
    if not names:
        raise ValueError('there is no image')
    for what, values in (('id', places), ('file_name', set(names))):
        if len(values) < len(names):
            raise ValueError(f'two images have the same {what}')
    return places, names


def _place(face: dict, places: dict) -> int:
    if face.get('image_id') not in places:
        raise ValueError(f'annotation {face.get("id")}: there is no image with the id {face.get("image_id")!r}')
    return places[face['image_id']]


def _read_face(face: dict) -> Tuple[List[float], List[int]]:
    """Box and attribute values, in the order of the text's columns."""
    where = f'annotation {face.get("id")}'
    try:
        box = [float(value) for value in face['bbox']]
        labels = [face['attributes'][name] for name in WIDER_FACE_ATTRIBUTES]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f'{where}: expected "bbox" (four numbers) and "attributes" with '
                         f'{", ".join(WIDER_FACE_ATTRIBUTES)}, found {face!r}') from None
    if len(box) != 4 or not np.isfinite(box).all():
        raise ValueError(f'{where}: expected four finite numbers as "bbox", found {face["bbox"]!r}')
    if not all(isinstance(label, int) and 0 <= label <= _LARGEST_LABEL for label in labels):
        raise ValueError(f'{where}: expected whole numbers from 0 to {_LARGEST_LABEL} as attributes, found '
                         f'{face["attributes"]!r}')
    return box, labels
