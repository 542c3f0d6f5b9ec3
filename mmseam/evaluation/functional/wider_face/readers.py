"""Readers of detections (TXT, COCO JSON, MMEngine dumps) and of ground truth from the official text file."""
import json
import reprlib
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

import numpy as np

from .ground_truth import LARGEST_NUMBER, WIDERFaceGroundTruth, image_key
from .matching import detection_rows
from .result_folder import ResultsFormatError, read_result_folder
from .results_pickle import load_results_pickle
from .slices import DERIVED_SUBSETS, select_faces

ImageNames = Mapping[Union[int, str], str]  # file names by image id


def read_detections(path: Union[str, Path], images: Optional[ImageNames] = None) -> Dict[str, np.ndarray]:
    """Read the detections of a complete set.

    ==============================  ================================================================================
    folder, ``.tar.*``, ``.zip``    result files ``event/image.txt``, see :func:`read_result_folder`
    ``.json`` with ``bbox``         COCO results: ``image_id``, ``bbox`` (xywh), ``score``
    ``.json``, ``pred_instances``   MMEngine results: ``img_path``, ``pred_instances`` (xyxy ``bboxes``)
    ``.pkl``, ``.pickle``           the same, written by ``DumpResults``; see :func:`load_results_pickle`
    ==============================  ================================================================================

    Args:
        path (str or Path): File or folder in one of the formats above.
        images (Mapping[int | str, str], optional): File name by image id, for COCO results with numeric ids; see
            :func:`read_image_names`.

    Returns:
        dict[str, np.ndarray]: Detections by image key, shape (n, 5), float64: left, top, width, height, score.

    Raises:
        FileNotFoundError: The file or folder does not exist.
        ResultsFormatError: The content is malformed; the message names the file and the position in it.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    suffix = path.suffix.lower()
    if path.is_dir() or suffix not in ('.json', '.pkl', '.pickle'):
        return read_result_folder(path)
    items = _load_json(path) if suffix == '.json' else load_results_pickle(path)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ResultsFormatError(f'{path}: expected a list of dicts, COCO results or dumped predictions')
    if items and 'pred_instances' in items[0]:
        return _from_predictions(items, path)
    return _from_coco(items, path, images)


def read_image_names(path: Union[str, Path]) -> Dict[Union[int, str], str]:
    """Read the file names by image id from a COCO annotation file.

    Args:
        path (str or Path): COCO annotation file (JSON).

    Returns:
        dict[int | str, str]: File name by image id.

    Raises:
        FileNotFoundError: The file does not exist.
        ResultsFormatError: The file does not contain COCO annotations, or two images have the same id.
    """
    content = _load_json(Path(path))
    images = content.get('images') if isinstance(content, dict) else None
    if not isinstance(images, list):
        raise ResultsFormatError(f'{path}: expected COCO annotations, with "images" that have "id" and "file_name"')
    names: Dict[Union[int, str], str] = {}
    for number, image in enumerate(images):
        key, name = (image.get('id'), image.get('file_name')) if isinstance(image, dict) else (None, None)
        if not isinstance(key, (int, str)) or not isinstance(name, str):
            raise ResultsFormatError(f'{path}, image {number}: expected COCO annotations, whose "images" have "id" and '
                                     f'"file_name", not {reprlib.repr(image)}')
        if key in names:
            raise ResultsFormatError(f'{path}, image {number}: a second image with the id {reprlib.repr(key)}')
        names[key] = name
    return names


def ground_truth_from_annotations(path: Union[str, Path]) -> WIDERFaceGroundTruth:
    """Read ground truth with derived subsets from ``wider_face_*_bbx_gt.txt``, for splits without official keep-lists.

    Args:
        path (str or Path): Official annotation file.

    Returns:
        WIDERFaceGroundTruth: Ground truth with all attributes and the subsets of :data:`DERIVED_SUBSETS`.
    """
    # Imported here because mmseam.datasets imports MMDetection, which the protocol does not need.
    from mmseam.datasets.wider_face.annotations import WIDER_FACE_ATTRIBUTES, read_wider_face_annotations
    annotations = read_wider_face_annotations(path)
    columns = annotations.attributes.astype(np.int64).T
    truth = WIDERFaceGroundTruth(
        tuple(map(image_key, annotations.file_names)), annotations.boxes.astype(np.float64), annotations.offsets, {},
        dict(zip(WIDER_FACE_ATTRIBUTES, columns)))
    truth.subsets.update(select_faces(truth, DERIVED_SUBSETS))
    return truth


def _load_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes().decode('utf-8-sig'))
    except (ValueError, RecursionError) as error:  # of text, of numbers too long, of lists in lists in lists
        raise ResultsFormatError(f'{path} is not JSON: {error}') from error


def _from_coco(items: List[dict], path: Path, images: Optional[ImageNames]) -> Dict[str, np.ndarray]:
    ids: Dict[str, Union[int, str]] = {}
    detections = {}
    for image, rows in _coco_rows(items, path).items():
        key = _coco_key(image, path, images)
        if key in ids:
            raise ResultsFormatError(f'{path}: image_id {ids[key]!r} and {image!r} both refer to image {key}')
        ids[key] = image
        detections[key] = _numbers(rows, (len(rows), 5), f'{path}, image {image!r}')
    return detections


def _coco_rows(items: List[dict], path: Path) -> Dict[Union[int, str], list]:
    """Return box and score of the detections of each image id; their types are not checked yet."""
    rows: Dict[Union[int, str], list] = defaultdict(list)
    categories = set()
    for number, item in enumerate(items):
        image, box, category = item.get('image_id'), item.get('bbox'), item.get('category_id')
        if not isinstance(image, (int, str)) or not isinstance(box, list) or 'score' not in item:
            raise ResultsFormatError(f'{path}, item {number}: expected "image_id", "bbox" and "score", not '
                                     f'{reprlib.repr(item)}')
        if len(box) != 4:
            raise ResultsFormatError(f'{path}, item {number}: a box is not four numbers, but {reprlib.repr(box)}')
        rows[image].append([*box, item['score']])
        categories.add(category if isinstance(category, int) else reprlib.repr(category))
    if len(categories) > 1:
        raise ResultsFormatError(f'{path} contains categories {sorted(map(str, categories))}: keep only the faces')
    return rows


def _coco_key(image: Union[int, str], path: Path, images: Optional[ImageNames]) -> str:
    if images is not None and image in images:
        return image_key(images[image])
    if isinstance(image, str):
        return image_key(image)
    raise ResultsFormatError(f'{path}: image_id {image!r} is a number, and there is no list of images: also give the '
                             'COCO annotation file of the set')


def _from_predictions(items: List[dict], path: Path) -> Dict[str, np.ndarray]:
    detections: Dict[str, np.ndarray] = {}
    for number, item in enumerate(items):
        where = f'{path}, item {number}'
        name, found = item.get('img_path'), item.get('pred_instances')
        if not isinstance(name, str) or not isinstance(found, dict) or not {'bboxes', 'scores', 'labels'} <= set(found):
            raise ResultsFormatError(f'{where}: expected "img_path" and "pred_instances" with "bboxes", "scores" and '
                                     f'"labels", not {reprlib.repr(item)}')
        key = image_key(name)
        if key in detections:
            raise ResultsFormatError(f'{where}: a second prediction for image {key}')
        detections[key] = _instances(found, where)
    return detections


def _instances(found: Mapping[str, Any], where: str) -> np.ndarray:
    """Convert the predictions of an image to rows of shape (n, 5)."""
    count = max(_array(found['scores']).shape, default=-1)
    boxes = _numbers(found['bboxes'], (count, 4), where)
    scores, labels = (_numbers(found[name], (count, ), f'{where}, {name}') for name in ('scores', 'labels'))
    if labels.any():
        raise ResultsFormatError(f'{where}: label {labels[labels != 0][0]:g}; a face detector has only the label 0')
    return detection_rows(boxes, scores)


def _numbers(values: Any, shape: Tuple[int, ...], where: str) -> np.ndarray:
    """Convert to a float64 array of the given shape; reject text and numbers that are not finite."""
    numbers = _array(values)
    if numbers.size == 0 and shape[0] == 0:
        return np.empty(shape)
    if numbers.dtype.kind not in 'iuf' or numbers.shape != shape:
        raise ResultsFormatError(f'{where}: expected numbers of shape {shape} (four per box), not '
                                 f'{reprlib.repr(values)}')
    if not (np.abs(numbers) < LARGEST_NUMBER).all():
        raise ResultsFormatError(f'{where}: a box or score is NaN or infinite')
    return numbers.astype(np.float64)


def _array(values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except (ValueError, OverflowError):  # lists of unequal lengths, whole numbers beyond all floats
        return np.array(None)
