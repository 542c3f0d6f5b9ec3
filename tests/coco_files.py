"""Write small datasets in COCO's layout for the tests."""
import json
from pathlib import Path
from typing import Dict, List, Sequence

from wider_face_files import write_image


def coco_box(box: Sequence[float], category: int = 1, segmentation=None, **more) -> dict:
    """Make an annotation without image and id; ``box`` = (x, y, width, height)."""
    more = dict(more) if segmentation is None else dict(more, segmentation=segmentation)
    return dict(bbox=list(box), area=box[2] * box[3], category_id=category, iscrowd=0, **more)


def write_coco(folder: Path, images: Dict[str, List[dict]], classes: Sequence[str] = ('face', ),
               name: str = 'train', size=(120, 80), with_images: bool = True) -> Path:
    """Write ``<name>.json`` and, in ``images/``, JPEGs; category ids count from 1.

    Args:
        folder (Path): Where to.
        images (Dict[str, List[dict]]): Annotations of :func:`coco_box` by file name.
        classes (Sequence[str]): Names of the categories.
        name (str): Name of the json file.
        size (tuple): Width and height of the images.
        with_images (bool): Whether to write the images.

    Returns:
        Path: The json file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = dict(
        categories=[dict(id=i, name=text, supercategory='') for i, text in enumerate(classes, 1)],
        images=[dict(id=i, file_name=file, width=size[0], height=size[1]) for i, file in enumerate(images)],
        annotations=[dict(box, image_id=i) for i, boxes in enumerate(images.values()) for box in boxes])
    for number, annotation in enumerate(content['annotations'], 1):
        annotation['id'] = number
    path = folder / f'{name}.json'
    path.write_text(json.dumps(content))
    for seed, file in enumerate(images if with_images else ()):
        write_image(folder / 'images' / file, size, seed)
    return path
