"""Converter from WIDER FACE to COCO JSON."""
import json
import os
from pathlib import Path
from typing import Iterable, Tuple, Union

import numpy as np

from mmseam.utils.atomic_write import atomic_write

from .annotations import WIDER_FACE_ATTRIBUTES, WIDERFaceAnnotations
from .index import load_wider_face_index

_INVALID = WIDER_FACE_ATTRIBUTES.index('invalid')


def wider_face_to_coco(annotations: WIDERFaceAnnotations, sizes: np.ndarray, images: Iterable[int]) -> dict:
    """Convert images of a WIDER FACE split to the COCO detection format.

    Boxes are kept exactly as annotated. Each annotation has the key ``attributes``, a dict with all of
    :data:`WIDER_FACE_ATTRIBUTES`. Faces that are marked invalid or have zero width or height get both ``iscrowd`` 1
    and ``ignore`` 1: pycocotools overwrites ``ignore`` with ``iscrowd``, so only ``iscrowd`` prevents a detection of
    such a face from counting as a false positive; MMDetection's ``CocoDataset`` and other readers drop annotations
    with ``ignore``.

    Args:
        annotations (WIDERFaceAnnotations): N images and their faces.
        sizes (np.ndarray): Shape (N, 2), width and height of the images in pixels.
        images (Iterable[int]): Indices in the split of the images to convert.

    Returns:
        dict: ``images`` (``id`` is the 0-based index in the split, the same as ``img_id`` of ``WIDERFaceDataset``;
        ``file_name`` is ``event/name.jpg``), ``annotations`` and ``categories`` (id 1, ``face``).
    """
    chosen = list(images)
    offsets = annotations.offsets.tolist()
    faces = [_face(annotations, i, row) for i in chosen for row in range(offsets[i], offsets[i + 1])]
    return dict(
        images=[_image(annotations.file_names[i], i, sizes[i]) for i in chosen],
        annotations=[dict(face, id=number) for number, face in enumerate(faces, start=1)],
        categories=[dict(id=1, name='face')])


def convert_wider_face_split(root: Union[str, os.PathLike],
                             split: str,
                             out_file: Union[str, os.PathLike],
                             skip_missing: bool = False) -> Tuple[int, int]:
    """Convert a split of WIDER FACE in its official layout to a COCO JSON file.

    Args:
        root (str | os.PathLike): Folder with ``wider_face_split`` and ``WIDER_<split>/images``.
        split (str): ``train`` or ``val``.
        out_file (str | os.PathLike): JSON file, written atomically.
        skip_missing (bool): Whether to skip images that are missing or unreadable. Defaults to False.

    Returns:
        Tuple[int, int]: Number of images and of faces written.

    Raises:
        FileNotFoundError: The annotation file or an image is missing.
        OSError: An image has no readable header.
        WIDERFaceFormatError: The annotation file has a bad line.
    """
    root = Path(root)
    index = load_wider_face_index(
        str(root / 'wider_face_split' / f'wider_face_{split}_bbx_gt.txt'), str(root / f'WIDER_{split}' / 'images'))
    coco = wider_face_to_coco(index.annotations, index.sizes, index.usable_images(skip=skip_missing))
    with atomic_write(out_file) as file:
        json.dump(coco, file)
    return len(coco['images']), len(coco['annotations'])


def _image(file_name: str, i: int, size: np.ndarray) -> dict:
    return dict(id=i, file_name=file_name, width=int(size[0]), height=int(size[1]))


def _face(annotations: WIDERFaceAnnotations, i: int, row: int) -> dict:
    x, y, w, h = annotations.boxes[row].tolist()
    attributes = annotations.attributes[row].tolist()
    ignored = int(attributes[_INVALID] == 1 or w <= 0 or h <= 0)
    return dict(
        image_id=i,
        category_id=1,
        bbox=[x, y, w, h],
        area=max(w, 0.) * max(h, 0.),
        iscrowd=ignored,
        ignore=ignored,
        attributes=dict(zip(WIDER_FACE_ATTRIBUTES, attributes)))
