"""Evaluate a trained run of a study on its evaluation sets."""
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Sequence

import numpy as np
from tqdm import tqdm

from mmseam.analysis.occlusion_curves import occlusion_curves
from mmseam.evaluation.functional.average_precision import ImageMatches, average_precision, match_image
from mmseam.evaluation.functional.wider_face.ground_truth import image_key, official_files, read_official_ground_truth
from mmseam.evaluation.functional.wider_face.matching import detection_rows
from mmseam.evaluation.functional.wider_face.protocol import evaluate_wider_face
from mmseam.inference.detector import Detector

from .study_config import file_digest
from .study_data import ALL, EvaluationImage, read_evaluation_set, slice_masks
from .study_description import Occlusion, Study
from .study_file import StudyFileError
from .study_results import MatchKey, OcclusionCurve

_SCORE_THR = 0.001


def evaluation_digest(study: Study) -> str:
    """Return a digest of what the evaluation depends on: contents of the annotations, slices, occlusion."""
    content = dict(
        sets={name: [file_digest(item.annotations), item.slices, item.occlusion, item.image_size,
                     *map(file_digest, official_files(item.ground_truth) if item.ground_truth else ())]
              for name, item in study.evaluate.items()},
        occlusion=asdict(study.occlusion) if study.occlusion else None)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


class Scores(NamedTuple):
    """Results on the uncovered images.

    Args:
        matches (dict): Matches by set and slice; each value holds the images of each class.
        wider_face (dict): AP of WIDER FACE's protocol by set and subset, for sets with ``ground_truth``.
    """
    matches: Dict[MatchKey, List[List[ImageMatches]]]
    wider_face: Dict[str, Dict[str, float]]


def score_all(study: Study, load: Callable[[int], Detector]) -> Scores:
    """Match the detections on all evaluation sets.

    Args:
        study (Study): The study.
        load (Callable): Returns the trained detector for a side of the network's input in pixels.

    Returns:
        Scores: The results.

    Raises:
        StudyFileError: An image or the ground truth cannot be read.
    """
    results = Scores({}, {})
    for name, item in study.evaluate.items():
        images = read_evaluation_set(item, study.classes)
        results.matches.update({(name, part): [[] for _ in study.classes] for part in (ALL, *item.slices)})
        detections: Dict[str, np.ndarray] = {}
        detector = load(item.image_size or study.image_size)
        stream = detector.stream([str(image.path) for image in images], score_thr=_SCORE_THR)
        for image, found in zip(tqdm(images, desc=name, unit='image'), stream):
            if Path(found.name) != image.path:
                raise StudyFileError(f'{image.path}: cannot be read')
            for part, mask in slice_masks(image, item.slices).items():
                for label, matches in enumerate(results.matches[name, part]):
                    chosen, of_class = found.labels == label, image.labels == label
                    matches.append(match_image(
                        found.boxes[chosen], found.scores[chosen], image.boxes[of_class], ~mask[of_class]))
            if item.ground_truth:
                detections[image_key(image.path)] = detection_rows(found.boxes, found.scores)
        if item.ground_truth:
            results.wider_face[name] = _wider_face(item.ground_truth, detections)
    return results


def _wider_face(folder: Path, detections: Dict[str, np.ndarray]) -> Dict[str, float]:
    """Compute the AP on easy, medium and hard; the faces of images that are not in the set do not count."""
    try:
        truth = read_official_ground_truth(folder)
        in_set = np.array([key in detections for key in truth.keys])[truth.face_image()]
        if not in_set.any():
            raise ValueError('its images are others than those of the evaluation set')
        subsets = {name: kept & in_set for name, kept in truth.subsets.items() if (kept & in_set).any()}
        unseen = {key: np.empty((0, 5)) for key in truth.keys}
        scores = evaluate_wider_face(truth, {**unseen, **detections}, subsets)
    except (OSError, ValueError) as error:
        raise StudyFileError(f'{folder}: {error}') from None
    return {name: float(score.ap) for name, score in scores.items()}


def occlusion_of_all(study: Study, load: Callable[[int], Detector]) -> Dict[str, OcclusionCurve]:
    """Measure the occlusion curves on the evaluation sets that ask for them.

    Args:
        study (Study): The study.
        load (Callable): As for :func:`score_all`.

    Returns:
        dict[str, OcclusionCurve]: Curves by set.
    """
    return {name: _curve(read_evaluation_set(item, study.classes), study.occlusion,
                         load(item.image_size or study.image_size), name)
            for name, item in study.evaluate.items() if item.occlusion and study.occlusion}


def _curve(images: Sequence[EvaluationImage], occlusion: Occlusion, detector: Detector, name: str) -> OcclusionCurve:
    curve = OcclusionCurve([int((~image.ignore).sum()) for image in images], {}, {})
    with tqdm(total=len(images), desc=f'{name}, covered', unit='image') as bar:
        conditions = occlusion_curves(
            detector, images, occlusion.kinds, occlusion.fractions, occlusion.seed, bar.update)
    for (kind, fraction), matches in conditions.items():
        curve.found.setdefault(kind, {})[f'{fraction:g}'] = [int(match.true_positive[0].sum()) for match in matches]
        curve.ap50.setdefault(kind, {})[f'{fraction:g}'] = float(average_precision(matches)[0])
    return curve
