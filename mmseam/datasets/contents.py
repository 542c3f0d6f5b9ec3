"""What a built data set holds, from its annotations alone."""
import json
import mmap
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from .wrappers import innermost_datasets

_CHUNK = 2**16  # bytes; the categories of COCO take 7,000


class DataContents(NamedTuple):
    """Images and boxes of a data set after its filters.

    Args:
        paths (List[str]): Path of each image, where the data set names one.
        num_images (int): Images.
        boxes (Counter): Boxes to train on or to find, by label; ignored ones are left out.
        num_classes (int, optional): Classes that the data set defines; None if it defines none.
    """
    paths: List[str]
    num_images: int
    boxes: Counter
    num_classes: Optional[int]

    def __str__(self) -> str:
        present, total = sum(map(bool, self.boxes.values())), sum(self.boxes.values())
        classes = f'{present}' if self.num_classes in (None, present) else f'{present} of {self.num_classes}'
        is_one = present == 1 and self.num_classes in (None, 1)
        return f'{self.num_images:,} images, {total:,} boxes of {classes} {"class" if is_one else "classes"}'


def count_contents(dataset: Any) -> Optional[DataContents]:
    """Count images and boxes of all data sets inside the wrappers, without loading images.

    Args:
        dataset (Any): A built data set.

    Returns:
        DataContents, optional: The sum; None if a data set does not tell its boxes by MMDetection's ``instances``.
    """
    paths, boxes, number, num_classes = [], Counter(), 0, None
    for part in innermost_datasets(dataset):
        if not hasattr(part, 'get_data_info'):
            return None
        classes = part.metainfo.get('classes')
        num_classes = num_classes or (len(classes) if classes else None)
        for index in range(len(part)):
            info = part.get_data_info(index)
            if 'instances' not in info:
                return None
            paths.append(str(info.get('img_path')))
            boxes.update(instance['bbox_label'] for instance in info['instances'] if not instance.get('ignore_flag'))
        number += len(part)
    return DataContents(paths, number, boxes, num_classes)


def read_categories(ann_file: str) -> Optional[Dict[int, str]]:
    """Categories of a COCO json file, without parsing the rest, which may take half a minute.

    Args:
        ann_file (str): The file.

    Returns:
        Dict[int, str], optional: Names by id; None where they cannot be found so.
    """
    path = Path(ann_file)
    if not path.is_file() or not path.stat().st_size:
        return None
    with path.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = content.find(b'"categories"')
        while place >= 0:
            categories = _list_behind(content, place + len(b'"categories"'))
            if categories and all(isinstance(item, dict) and {'id', 'name'} <= set(item) for item in categories):
                return {item['id']: item['name'] for item in categories}
            place = content.find(b'"categories"', place + 1)
    return None


def _list_behind(content: mmap.mmap, place: int) -> Optional[List[Dict[str, Any]]]:
    """The json list that follows a key and a colon; None for anything else."""
    size = _CHUNK
    while True:
        text = content[place:place + size].decode('utf-8', 'ignore').lstrip(' \t\r\n:')
        try:
            value = json.JSONDecoder().raw_decode(text)[0] if text.startswith('[') else None
        except (ValueError, RecursionError):
            if place + size >= len(content):
                return None
            size *= 8  # the list goes on
        else:
            return value
