"""Data of a study: one pooled training set, and evaluation sets with slices."""
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np

from mmseam.datasets.wider_face.index import load_wider_face_index
from mmseam.datasets.wider_face.to_coco import wider_face_to_coco
from mmseam.utils.atomic_write import atomic_write

from .study_file import EvaluationSet, ImageSet, StudyFileError

ALL = 'all'
_KEPT_KEYS = ('bbox', 'area', 'iscrowd', 'segmentation')


@dataclass(frozen=True)
class EvaluationImage:
    """An image to evaluate.

    Args:
        path (Path): Image file.
        boxes (np.ndarray): Ground truth, (G, 4): left, top, right, bottom in pixels.
        labels (np.ndarray): Class indices, (G,).
        ignore (np.ndarray): Crowds, (G,) bool.
        annotations (list[dict]): The annotations, for slices.
    """

    path: Path
    boxes: np.ndarray
    labels: np.ndarray
    ignore: np.ndarray
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
        StudyFileError: A file is not COCO JSON, has another class, or an image is missing.
    """
    root = Path(os.path.commonpath([item.images for item in sets]))
    images: List[dict] = []
    annotations: List[dict] = []
    for item in sets:
        content = _read_coco(item, classes)
        first, number = len(images), {image['id']: index for index, image in enumerate(content['images'])}
        for image in content['images']:
            name = (item.images / image['file_name']).relative_to(root).as_posix()
            images.append(dict(id=len(images) + 1, file_name=name, width=image['width'], height=image['height']))
        for annotation in content['annotations']:
            annotations.append(dict(
                {key: annotation[key] for key in _KEPT_KEYS if key in annotation},
                id=len(annotations) + 1, image_id=first + number[annotation['image_id']] + 1,
                category_id=content['labels'][annotation['category_id']] + 1))
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
    content = _read_coco(item, classes)
    by_image: Dict[Any, List[dict]] = {image['id']: [] for image in content['images']}
    for annotation in content['annotations']:
        by_image[annotation['image_id']].append(annotation)
    return [_evaluation_image(item.images / image['file_name'], by_image[image['id']], content['labels'])
            for image in content['images']]


def _evaluation_image(path: Path, annotations: List[dict], labels: Dict[int, int]) -> EvaluationImage:
    boxes = np.array([annotation['bbox'] for annotation in annotations], float).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    crowd = [bool(annotation.get('iscrowd') or annotation.get('ignore')) for annotation in annotations]
    indices = [labels[annotation['category_id']] for annotation in annotations]
    return EvaluationImage(path, boxes, np.array(indices, int), np.array(crowd, bool), annotations)


def slice_masks(image: EvaluationImage, slices: Dict[str, Dict[str, Any]]) -> Dict[str, np.ndarray]:
    """Decide which ground truths belong to each slice.

    Args:
        image (EvaluationImage): An image.
        slices (dict): See :class:`EvaluationSet`.

    Returns:
        dict[str, np.ndarray]: Masks (G,) by slice, with ``all``; crowds belong to none.
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


def _read_coco(item: ImageSet, classes: Sequence[str]) -> dict:
    """Read annotations; ``labels`` of the result maps their category ids to class indices."""
    try:
        content = _read_annotations(item)
        names = {category['id']: category['name'] for category in content['categories']}
        _check_references(content, names, classes, item.annotations)
        missing = [image['file_name'] for image in content['images']
                   if not (item.images / image['file_name']).is_file()]
    except StudyFileError:
        raise
    except OSError as error:
        raise StudyFileError(f'{item.annotations}: cannot be read: {error}') from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StudyFileError(f'{item.annotations}: not COCO JSON: {error!r}') from None
    if missing:
        raise StudyFileError(f'{item.annotations}: {len(missing)} images are missing, the first one is '
                             f'{item.images / missing[0]}')
    return dict(content, labels={key: list(classes).index(name) for key, name in names.items()})


def _read_annotations(item: ImageSet) -> dict:
    """Read a COCO JSON file, or WIDER FACE's text file, of which missing images are skipped."""
    if item.annotations.suffix == '.txt':
        index = load_wider_face_index(str(item.annotations), str(item.images))
        return wider_face_to_coco(index.annotations, index.sizes, index.usable_images(skip=True))
    return json.loads(item.annotations.read_text(encoding='utf-8'))


def _check_references(content: dict, names: Dict[int, str], classes: Sequence[str], path: Path) -> None:
    """Check that annotations name images and categories of the file, and categories classes of the study."""
    unknown = sorted(set(names.values()) - set(classes))
    if unknown:
        raise StudyFileError(f'{path}: the class {unknown[0]!r} is not among the classes of the study')
    ids = {image['id'] for image in content['images']}
    for annotation in content['annotations']:
        if annotation['image_id'] not in ids or annotation['category_id'] not in names:
            raise StudyFileError(f'{path}: annotation {annotation["id"]} names an image or a category that the file '
                                 'does not have')
