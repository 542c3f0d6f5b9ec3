"""Data of a study: one pooled training set, and evaluation sets with slices."""
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from mmseam.datasets.coco_file import CocoFile, CocoFormatError, box_arrays, check_coco, read_coco_file
from mmseam.datasets.occlusion import BoxSample
from mmseam.datasets.wider_face.index import load_wider_face_index
from mmseam.datasets.wider_face.to_coco import wider_face_to_coco
from mmseam.utils.atomic_write import atomic_write

from .study_description import EvaluationSet, ImageSet
from .study_file import StudyFileError

ALL = 'all'
_KEPT_KEYS = ('bbox', 'area', 'iscrowd', 'segmentation')


@dataclass(frozen=True, eq=False)
class EvaluationImage(BoxSample):
    """An image to evaluate; its boxes are the ground truth.

    Args:
        labels (np.ndarray): Class indices, (G,).
        annotations (list[dict]): The annotations, for slices.
    """

    labels: np.ndarray
    annotations: List[Dict[str, Any]]


def pool_training_sets(sets: Sequence[ImageSet], classes: Sequence[str], path: Path) -> Path:
    """Write the union of several COCO JSON files.

    Args:
        sets (Sequence[ImageSet]): The training sets.
        classes (Sequence[str]): Class names; they decide the category ids.
        path (Path): Where to write the union; not written again if the content is the same.

    Returns:
        Path: Folder that the file names of the union are relative to.

    Raises:
        StudyFileError: A file is not COCO JSON, has another class, or an image is missing or has no size.
    """
    root = Path(os.path.commonpath([item.images for item in sets]))
    images: List[dict] = []
    annotations: List[dict] = []
    for item in sets:
        content, labels = _read_annotations(item, classes)
        first, number = len(images), {image['id']: index for index, image in enumerate(content.images)}
        for image in content.images:
            name = (item.images / image['file_name']).relative_to(root).as_posix()
            images.append(dict(id=len(images) + 1, file_name=name, **_size(image, item.annotations)))
        for annotation in content.annotations:
            annotations.append(dict(
                {key: annotation[key] for key in _KEPT_KEYS if key in annotation},
                id=len(annotations) + 1, image_id=first + number[annotation['image_id']] + 1,
                category_id=labels[annotation['category_id']] + 1))
    categories = [dict(id=index, name=name) for index, name in enumerate(classes, 1)]
    text = json.dumps(dict(images=images, annotations=annotations, categories=categories))
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
        with atomic_write(path) as file:
            file.write(text)
    return root


def read_evaluation_set(item: EvaluationSet, classes: Sequence[str]) -> List[EvaluationImage]:
    """Read the images of an evaluation set and their ground truth.

    Args:
        item (EvaluationSet): The set.
        classes (Sequence[str]): Class names.

    Returns:
        list[EvaluationImage]: The images in the order of the file.

    Raises:
        StudyFileError: The file is not COCO JSON, has another class, or an image is missing.
    """
    content, labels = _read_annotations(item, classes)
    groups = content.by_image()
    return [_evaluation_image(item.images / image['file_name'], groups[image['id']], labels)
            for image in content.images]


def _evaluation_image(path: Path, annotations: List[dict], labels: Dict[Any, int]) -> EvaluationImage:
    boxes, ignore = box_arrays(annotations)
    indices = [labels[annotation['category_id']] for annotation in annotations]
    return EvaluationImage(path, boxes, ignore, np.array(indices, int), annotations)


def slice_masks(image: EvaluationImage, slices: Dict[str, Dict[str, Any]]) -> Dict[str, np.ndarray]:
    """Decide which ground truths belong to each slice.

    Args:
        image (EvaluationImage): An image.
        slices (dict): See :class:`EvaluationSet`.

    Returns:
        dict[str, np.ndarray]: Masks (G,) by slice, with ``all``; ignored boxes belong to none.
    """
    masks = {ALL: ~image.ignore}
    for name, conditions in slices.items():
        inside = [all(_fits(annotation, key, wanted) for key, wanted in conditions.items())
                  for annotation in image.annotations]
        masks[name] = np.array(inside, bool) & ~image.ignore
    return masks


def _fits(annotation: dict, key: str, wanted: Any) -> bool:
    if key in ('height', 'width'):
        low, high = wanted
        side = annotation['bbox'][3 if key == 'height' else 2]
        return (low is None or side >= low) and (high is None or side < high)
    value = annotation.get(key, annotation.get('attributes', {}).get(key))
    return value in (wanted if isinstance(wanted, list) else [wanted])


def _read_annotations(item: ImageSet, classes: Sequence[str]) -> Tuple[CocoFile, Dict[Any, int]]:
    """Read annotations, and the class index of each of their category ids."""
    try:
        content = _read_file(item)
    except CocoFormatError as error:
        raise StudyFileError(str(error)) from None
    except (OSError, ValueError) as error:
        raise StudyFileError(f'{item.annotations}: cannot be read: {error}') from None
    labels = _class_indices(content, classes, item.annotations)
    missing = [image['file_name'] for image in content.images if not (item.images / image['file_name']).is_file()]
    if missing:
        raise StudyFileError(f'{item.annotations}: {len(missing)} images are missing, the first one is '
                             f'{item.images / missing[0]}')
    return content, labels


def _read_file(item: ImageSet) -> CocoFile:
    """Read a COCO JSON file, or WIDER FACE's text file, of which missing images are skipped."""
    if item.annotations.suffix == '.txt':
        index = load_wider_face_index(str(item.annotations), str(item.images))
        content = wider_face_to_coco(index.annotations, index.sizes, index.usable_images(skip=True))
        return check_coco(content, item.annotations)
    return read_coco_file(item.annotations)


def _class_indices(content: CocoFile, classes: Sequence[str], path: Path) -> Dict[Any, int]:
    """Check that the categories are classes of the study and those of the annotations are in the file."""
    unknown = sorted(set(content.names.values()) - set(classes))
    if unknown:
        raise StudyFileError(f'{path}: the class {unknown[0]!r} is not among the classes of the study')
    for number, annotation in enumerate(content.annotations):
        if annotation.get('category_id') not in content.names:
            raise StudyFileError(f'{path}: annotation {number} names a category that the file does not have')
    return {key: list(classes).index(name) for key, name in content.names.items()}


def _size(image: dict, path: Path) -> Dict[str, int]:
    sides = {side: image.get(side) for side in ('width', 'height')}
    if not all(isinstance(value, (int, float)) and value > 0 for value in sides.values()):
        raise StudyFileError(f'{path}: the image {image["file_name"]} has no "width" and "height" in pixels')
    return sides
