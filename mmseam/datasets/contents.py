"""Images, boxes and class names of a dataset, without loading images."""
import json
import mmap
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Union

from mmengine.config import ConfigDict
from mmengine.fileio import list_from_file

from mmseam.registry import DATASETS

from .wrappers import innermost_datasets

_CHUNK = 2**16  # bytes; COCO's categories take 7,000


class DataContents(NamedTuple):
    """Images and boxes of a dataset after filtering.

    Args:
        paths (List[str]): Path of each image; ``'None'`` if the dataset gives none.
        num_images (int): Number of images.
        boxes (Counter): Number of boxes per label, without ignored boxes.
        num_classes (int, optional): Number of classes of the dataset; None if it defines none.
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
    """Count the images and boxes of all datasets inside the wrappers, without loading images.

    Args:
        dataset (Any): A built dataset.

    Returns:
        DataContents, optional: The totals; None if a dataset does not list its boxes in MMDetection's ``instances``.
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


def class_names(dataset: ConfigDict) -> Optional[Union[str, Sequence[str]]]:
    """Read the class names from the config of a dataset.

    Args:
        dataset (ConfigDict): Config of a dataset, wrapped or not; of a concatenation, the first dataset counts. Types
            without a scope are looked up in MMEngine's current default scope.

    Returns:
        Sequence[str] | str, optional: ``metainfo.classes`` (read from the file if it names one, as MMEngine does),
        else ``METAINFO['classes']`` of the dataset's type, else None. A str is a value of ``metainfo.classes`` that
        is neither a sequence nor a file.
    """
    while 'dataset' in dataset or dataset.get('datasets'):
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['datasets'][0]
    classes = (dataset.get('metainfo') or {}).get('classes')
    if classes is None:
        kind = DATASETS.get(dataset['type']) if isinstance(dataset.get('type'), str) else dataset.get('type')
        return getattr(kind, 'METAINFO', {}).get('classes')
    return list_from_file(classes) if isinstance(classes, str) and Path(classes).is_file() else classes


def read_categories(ann_file: str) -> Optional[Dict[int, str]]:
    """Read the categories of a COCO JSON file without parsing the rest, which may take half a minute.

    Args:
        ann_file (str): COCO annotation file.

    Returns:
        Dict[int, str], optional: Category names by id; None if the file does not contain them in the usual format.
    """
    path = Path(ann_file)
    if not path.is_file() or not path.stat().st_size:
        return None
    with path.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        position = content.find(b'"categories"')
        while position >= 0:
            categories = _parse_list(content, position + len(b'"categories"'))
            if categories and all(isinstance(item, dict) and {'id', 'name'} <= set(item) for item in categories):
                return {item['id']: item['name'] for item in categories}
            position = content.find(b'"categories"', position + 1)
    return None


def _parse_list(content: mmap.mmap, position: int) -> Optional[List[Dict[str, Any]]]:
    """Parse the JSON list after a key and a colon; return None for anything else."""
    size = _CHUNK
    while True:
        text = content[position:position + size].decode('utf-8', 'ignore').lstrip(' \t\r\n:')
        try:
            value = json.JSONDecoder().raw_decode(text)[0] if text.startswith('[') else None
        except (ValueError, RecursionError):
            if position + size >= len(content):
                return None
            size *= 8  # the list is longer than this
        else:
            return value
