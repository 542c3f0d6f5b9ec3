"""Reads detections from whatever people have them in, and ground truth from the official text file."""
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Union

import numpy as np

from .ground_truth import WIDERFaceGroundTruth, image_key
from .result_folder import read_result_folder
from .results_pickle import load_results_pickle
from .slices import DERIVED_SUBSETS, select_faces


def read_detections(path: Union[str, Path], images: Optional[Mapping[int, str]] = None) -> Dict[str, np.ndarray]:
    """Read the detections of a whole set.

    ==============================  ================================================================================
    folder, ``.tar.*``, ``.zip``    result files ``event/image.txt``, see :func:`read_result_folder`
    ``.json``, items with ``bbox``  COCO results: ``image_id``, ``bbox`` (xywh), ``score``
    ``.json``, ``pred_instances``   dump of MMEngine results: ``img_path``, ``pred_instances`` (xyxy ``bboxes``)
    ``.pkl``, ``.pickle``           the same, written by ``DumpResults``; see :func:`load_results_pickle`
    ==============================  ================================================================================

    Args:
        path (str or Path): See the table.
        images (Mapping[int, str], optional): File name by image id, for COCO results whose ids are numbers; see
            :func:`read_image_names`.

    Returns:
        dict[str, np.ndarray]: Image key to rows of shape (n, 5), float64: left, top, width, height, score.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If the content cannot be understood; the message names the file and the place in it.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    suffix = path.suffix.lower()
    if path.is_dir() or suffix not in ('.json', '.pkl', '.pickle'):
        return read_result_folder(path)
    items = _load_json(path) if suffix == '.json' else load_results_pickle(path)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError(f'{path}: expected a list of dicts, COCO results or dumped predictions')
    if items and 'pred_instances' in items[0]:
        return _from_predictions(items, path)
    return _from_coco(items, path, images)


def read_image_names(path: Union[str, Path]) -> Dict[int, str]:
    """File names by image id, from the ``images`` of a COCO annotation file.

    Args:
        path (str or Path): COCO annotation json.

    Returns:
        dict[int, str]: File name of each id.
    """
    content = _load_json(Path(path))
    try:
        return {image['id']: image['file_name'] for image in content['images']}
    except (KeyError, TypeError) as error:
        raise ValueError(f'{path}: expected COCO annotations, whose "images" have "id" and "file_name"') from error


def ground_truth_from_annotations(path: Union[str, Path]) -> WIDERFaceGroundTruth:
    """Ground truth from ``wider_face_*_bbx_gt.txt``, with derived subsets, for splits without official keep-lists.

    Args:
        path (str or Path): Official annotation file.

    Returns:
        WIDERFaceGroundTruth: With all attributes and the subsets of :data:`DERIVED_SUBSETS`.
    """
    # Imported here: the package of the data sets pulls in MMDetection, which the protocol does not need.
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
        return json.loads(path.read_text(encoding='utf-8'))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is not json: {error}') from error


def _from_coco(items: List[dict], path: Path, images: Optional[Mapping[int, str]]) -> Dict[str, np.ndarray]:
    rows = defaultdict(list)
    categories = set()
    for number, item in enumerate(items):
        try:
            rows[item['image_id']].append([*item['bbox'], item['score']])
            categories.add(item.get('category_id'))
        except (KeyError, TypeError) as error:
            raise ValueError(f'{path}, item {number}: expected "image_id", "bbox" and "score": {error!r}') from error
    if len(categories) > 1:
        raise ValueError(f'{path} holds categories {sorted(map(str, categories))}: keep the faces only')
    return {_coco_key(image, path, images): _rows(boxes, f'{path}, image {image!r}') for image, boxes in rows.items()}


def _coco_key(image: Union[int, str], path: Path, images: Optional[Mapping[int, str]]) -> str:
    if images is not None and image in images:
        return image_key(images[image])
    if isinstance(image, str):
        return image_key(image)
    raise ValueError(f'{path}: image_id {image!r} is a number that no list of images explains: give the COCO '
                     'annotation file of the set too')


def _from_predictions(items: List[dict], path: Path) -> Dict[str, np.ndarray]:
    detections = {}
    for number, item in enumerate(items):
        where = f'{path}, item {number}'
        try:
            key, found = image_key(item['img_path']), item['pred_instances']
            boxes, scores, labels = (np.asarray(found[name]) for name in ('bboxes', 'scores', 'labels'))
        except (KeyError, TypeError) as error:
            raise ValueError(f'{where}: expected "img_path" and "pred_instances" with "bboxes", "scores" and "labels": '
                             f'{error!r}') from error
        if key in detections:
            raise ValueError(f'{where}: a second prediction of image {key}')
        if len(labels) and labels.any():
            raise ValueError(f'{where}: label {labels.max()}; a face detector has the one label 0')
        boxes = boxes.astype(np.float64).reshape(-1, 4)
        detections[key] = _rows(np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2], scores]), where)
    return detections


def _rows(values: Any, where: str) -> np.ndarray:
    try:
        rows = np.asarray(values, dtype=np.float64).reshape(-1, 5)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{where}: a box is not four numbers and a score') from error
    if not np.isfinite(rows).all():
        raise ValueError(f'{where}: a box or score is NaN or infinite')
    return rows
