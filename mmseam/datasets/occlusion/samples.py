"""Images with boxes, read from COCO JSON or WIDER FACE's annotation file, without building a dataset."""
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional, Sequence, Set, Tuple, Union

import numpy as np

from ..coco_file import CocoFile, CocoFormatError, box_arrays, has_no_area, read_coco_file, to_corners
from ..wider_face.annotations import WIDER_FACE_ATTRIBUTES, read_wider_face_annotations

_NAMED_FILES = 3
_WIDER_FACE_FILE = re.compile(r'wider_face_(\w+)_bbx_gt\.txt$')


@dataclass(frozen=True, eq=False)
class BoxSample:
    """An image file and its annotated boxes.

    Args:
        path (Path): The image.
        boxes (np.ndarray): Shape (N, 4), float64, x1, y1, x2, y2 in pixels.
        ignore (np.ndarray): Shape (N,), bool: boxes that need not be found, such as crowds.
    """
    path: Path
    boxes: np.ndarray
    ignore: np.ndarray


def load_samples(ann_file: Union[str, Path],
                 image_folder: Union[str, Path],
                 classes: Optional[Sequence[str]] = None,
                 missing: str = 'error') -> List[BoxSample]:
    """Load the images and boxes of a dataset.

    Boxes marked ``iscrowd`` or ``ignore`` (COCO) or ``invalid`` (WIDER FACE), and boxes without area, are ignored.

    Args:
        ann_file (str or Path): COCO JSON file (``.json``) or ``wider_face_*_bbx_gt.txt``.
        image_folder (str or Path): Folder of the images.
        classes (Sequence[str], optional): Names of the COCO categories whose boxes to load. Defaults to None: all.
        missing (str): ``'error'`` or ``'skip'`` for images that do not exist. Defaults to 'error'.

    Returns:
        List[BoxSample]: One sample per image, in the order of the file.

    Raises:
        FileNotFoundError: The annotation file, an image, or with ``'skip'`` every image is missing.
        ValueError: The annotations are malformed, a class is unknown, or ``missing`` is neither value.
    """
    if missing not in ('error', 'skip'):
        raise ValueError(f"missing must be 'error' or 'skip', not {missing!r}")
    path = Path(ann_file)
    entries = _read_wider_face(path, classes) if path.suffix.lower() == '.txt' else _read_coco(path, classes)
    samples = [BoxSample(Path(image_folder, name), boxes, ignore) for name, boxes, ignore in entries]
    return _existing(samples, missing, path)


def default_image_folder(ann_file: Union[str, Path]) -> Path:
    """Return the usual folder of the images of an annotation file.

    Args:
        ann_file (str or Path): Annotation file.

    Returns:
        Path: ``WIDER_<split>/images`` next to the folder of ``wider_face_<split>_bbx_gt.txt``; for any other file,
        ``images`` next to it.
    """
    path = Path(ann_file)
    split = _WIDER_FACE_FILE.match(path.name)
    return path.parent.parent / f'WIDER_{split[1]}' / 'images' if split else path.parent / 'images'


def _existing(samples: List[BoxSample], missing: str, ann_file: Path) -> List[BoxSample]:
    existing = [sample for sample in samples if sample.path.is_file()]
    if existing and (missing == 'skip' or len(existing) == len(samples)):
        return existing
    absent = [str(sample.path) for sample in samples if not sample.path.is_file()]
    more = ', …' if len(absent) > _NAMED_FILES else ''
    raise FileNotFoundError(f'{len(absent)} of the {len(samples)} images of {ann_file} are missing: '
                            f'{", ".join(absent[:_NAMED_FILES])}{more}; correct the image folder, or skip them')


_Entry = Tuple[str, np.ndarray, np.ndarray]


def _read_wider_face(path: Path, classes: Optional[Sequence[str]]) -> List[_Entry]:
    if classes is not None:
        raise ValueError(f'{path}: annotations of WIDER FACE have no classes to choose from')
    annotations = read_wider_face_annotations(path)
    invalid = annotations.attributes[:, WIDER_FACE_ATTRIBUTES.index('invalid')] == 1
    boxes = to_corners(annotations.boxes)
    ignore = invalid | has_no_area(boxes)
    return [(name, boxes[annotations.faces(index)], ignore[annotations.faces(index)])
            for index, name in enumerate(annotations.file_names)]


def _read_coco(path: Path, classes: Optional[Sequence[str]]) -> List[_Entry]:
    coco = read_coco_file(path)
    chosen = None if classes is None else _category_ids(path, coco, classes)
    groups = coco.by_image()
    return [(image['file_name'], *box_arrays([
        annotation for annotation in groups[image['id']] if chosen is None or annotation.get('category_id') in chosen]))
            for image in coco.images]


def _category_ids(path: Path, coco: CocoFile, classes: Sequence[str]) -> Set[Any]:
    unknown = [name for name in classes if name not in coco.names.values()]
    if unknown:
        raise CocoFormatError(f'{path}: no category is called {", ".join(unknown)}; there are '
                              f'{", ".join(coco.names.values())}')
    return {key for key, name in coco.names.items() if name in classes}
