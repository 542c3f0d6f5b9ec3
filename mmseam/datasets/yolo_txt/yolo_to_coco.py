"""Conversion of YOLO label files to a COCO JSON file, which is made again when images or labels change."""
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np
from mmengine.logging import print_log
from tqdm import tqdm

from mmseam.utils.atomic_write import WriteError, atomic_write

from ..image_files import MISSING, update_image_sizes
from .data_yaml import YOLODataError, YOLODataFile
from .yolo_labels import YOLOObject, find_images, label_file, read_labels

# Incremented whenever the JSON file would be different, so that old files are not used.
_VERSION = 1
_DESCRIPTION = 'Converted by mmseam from YOLO label files; made again when they change'
_NAMED = 5


def convert_split(data: YOLODataFile, split: str) -> Path:
    """Convert the labels of a split, unless that has been done and nothing has changed since.

    The JSON file is ``mmseam_SPLIT.json`` in the folder of the dataset, or in the user's cache folder if that one is
    read-only. Its key covers the class names and the sizes and modification times of all images and label files.

    Args:
        data (YOLODataFile): The data file.
        split (str): 'train' or 'val'.

    Returns:
        Path: The JSON file. The ``file_name`` of an image is relative to ``data.root``, or absolute if it is elsewhere.

    Raises:
        YOLODataError: There are no images or no labels, or a label file is malformed.
        WriteError: The file cannot be written.
    """
    images = find_images(data, split)
    labels = [label_file(image) for image in images]
    start = json.dumps(dict(info=dict(description=_DESCRIPTION, key=_key(data, images, labels))))[:-1]
    paths = [_check_own(path) for path in _places(data, split)]
    done = next((path for path in paths if _starts_with(path, start)), None)
    if done:
        return done
    content = _convert(data, split, images, labels)
    text = f'{start}, {json.dumps(content)[1:]}'
    try:
        return _write(paths[0], text)
    except WriteError:
        return _write(paths[1], text)


def _key(data: YOLODataFile, images: Sequence[Path], labels: Sequence[Path]) -> str:
    digest = hashlib.sha256(repr((_VERSION, data.names, data.has_keypoints)).encode())
    for path in (*images, *labels):
        try:
            stat = os.stat(path)
            digest.update(f'{path}|{stat.st_size}|{stat.st_mtime_ns}\n'.encode('utf-8', 'surrogateescape'))
        except OSError:
            digest.update(f'{path}|none\n'.encode('utf-8', 'surrogateescape'))
    return digest.hexdigest()


def _places(data: YOLODataFile, split: str) -> List[Path]:
    digest = hashlib.sha256(str(data.file.absolute()).encode('utf-8', 'surrogateescape')).hexdigest()[:12]
    user_cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'mmseam'
    return [data.root / f'mmseam_{split}.json', user_cache / f'{digest}_{split}.json']


def _starts_with(path: Path, start: str) -> bool:
    if not path.is_file():
        return False
    with path.open('rb') as file:
        return file.read(len(start)) == start.encode()


def _check_own(path: Path) -> Path:
    """Never overwrite a file that somebody else has made."""
    if path.exists() and not _starts_with(path, json.dumps(dict(info=dict(description=_DESCRIPTION)))[:-2]):
        raise YOLODataError(f'{path} exists and was not made by mmseam, which would write the converted labels there: '
                            'rename it')
    return path


def _write(path: Path, text: str) -> Path:
    with atomic_write(path) as file:
        file.write(text)
    return path


def _convert(data: YOLODataFile, split: str, images: Sequence[Path], labels: Sequence[Path]) -> Dict[str, Any]:
    """Return the lists of a COCO JSON file."""
    present = [path.is_file() for path in labels]
    if not any(present):
        raise YOLODataError(f'{data.file}: no image of {split} has labels; those of {images[0]} are expected in '
                            f'{labels[0]}')
    bar = tqdm(labels, desc=f'reading labels of {split}', unit='file', disable=len(labels) < 1000)
    objects = [read_labels(path, data) if is_there else [] for path, is_there in zip(bar, present)]
    unknown = np.full((len(images), 2), MISSING, dtype=np.int32)
    sizes = update_image_sizes(unknown, [str(image) for image in images], '').tolist()
    readable = [index for index, size in enumerate(sizes) if size[0] > 0]
    names = [_file_name(image, data.root) for image in images]
    _report(data, split, names, sizes, objects, present)
    return dict(
        images=[dict(id=index, file_name=names[index], width=sizes[index][0], height=sizes[index][1])
                for index in readable],
        annotations=list(_annotations((index, sizes[index], objects[index]) for index in readable)),
        categories=[dict(id=label + 1, name=name) for label, name in enumerate(data.names)])


def _annotations(images: Iterator[Tuple[int, Sequence[int], List[YOLOObject]]]) -> Iterator[Dict[str, Any]]:
    number = 0
    for index, (width, height), objects in images:
        for found in objects:
            number += 1
            x1, y1, x2, y2 = (round(value * side, 3) for value, side in zip(found.box, (width, height) * 2))
            box = [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)]
            annotation = dict(id=number, image_id=index, category_id=found.label + 1, bbox=box, area=box[2] * box[3],
                              iscrowd=0)
            if found.polygon:
                x, y = np.array(found.polygon[::2]) * width, np.array(found.polygon[1::2]) * height
                annotation['segmentation'] = [np.stack([x, y], 1).round(3).flatten().tolist()]
                annotation['area'] = float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)
            yield annotation


def _file_name(image: Path, root: Path) -> str:
    return image.relative_to(root).as_posix() if root in image.parents else str(image)


def _report(data: YOLODataFile, split: str, names: Sequence[str], sizes: Sequence[Sequence[int]],
            objects: Sequence[List[YOLOObject]], present: Sequence[bool]) -> None:
    boxes, without = sum(map(len, objects)), len(present) - sum(present)
    print_log(f'{data.file}: {split} has {len(names):,} images and {boxes:,} boxes' + (
        f'; {without:,} images have no label file and count as background' if without else ''), logger='current')
    bad = [name for name, size in zip(names, sizes) if size[0] <= 0]
    if bad:
        print_log(f'{data.file}: {len(bad)} images of {split} are unreadable and left out: {", ".join(bad[:_NAMED])}'
                  + (', …' if len(bad) > _NAMED else ''), logger='current', level=logging.WARNING)
