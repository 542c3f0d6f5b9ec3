"""Run a detector on covered images and match its detections."""
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from mmseam.datasets.occlusion import (
    KINDS,
    NO_DONORS,
    BoxSample,
    CoveredImage,
    DonorPool,
    check_request,
    cover_boxes,
    image_generator,
)
from mmseam.evaluation.functional.average_precision import ImageMatches, box_iou, match_image
from mmseam.evaluation.functional.occlusion_scores import Condition
from mmseam.inference.media import read_image
from mmseam.inference.results import DetectionResult

#: Covered fractions of the benchmark.
FRACTIONS = (0.0, 0.2, 0.4, 0.6, 0.8)
_CUT_KINDS = ('texture', 'face')
_MATCH = 0.5  # IoU from which a detection can be that of a pasted face


def occlusion_curves(detector: Callable[..., List[DetectionResult]],
                     samples: Sequence[BoxSample],
                     kinds: Sequence[str] = KINDS,
                     fractions: Sequence[float] = FRACTIONS,
                     seed: int = 0,
                     progress: Optional[Callable[[], Any]] = None,
                     score_thr: float = 0.01,
                     classes: Optional[Sequence[str]] = None) -> Dict[Condition, List[ImageMatches]]:
    """Match the detections of one detector on all images, covered by every kind and fraction.

    The same seed and dataset give the same pictures for every detector. All classes count as one.

    Args:
        detector (Callable): Result of :func:`~mmseam.apis.load_detector`, or any other function of a list of images and
            ``score_thr`` that returns the detections of each.
        samples (Sequence[BoxSample]): Images and boxes, see :func:`~mmseam.datasets.occlusion.load_samples`. Ignored
            boxes are not covered.
        kinds (Sequence[str]): Kinds of occluders. Defaults to all.
        fractions (Sequence[float]): Fractions of each box to cover, 0 to 1. Defaults to 0, .2, .4, .6, .8.
        seed (int): Seed of the occluders, at least 0. Defaults to 0.
        progress (Callable, optional): Called after each image, for example ``tqdm.update``. Defaults to None.
        score_thr (float): Minimum score of detections. Defaults to 0.01.
        classes (Sequence[str], optional): Names of the classes whose detections count. Defaults to None: all.

    Returns:
        Dict[Condition, List[ImageMatches]]: For each kind and fraction, the matches of each image, in the order of
        ``samples``, at COCO's ten IoU thresholds.

    Raises:
        ValueError: There is no sample, a kind or fraction is not possible, or a kind takes pictures of other images
            and there are none.
        OSError: An image cannot be read; the message names it.
    """
    if not samples:
        raise ValueError('there is no image to cover')
    for kind in kinds:
        for fraction in fractions:
            check_request(kind, fraction)
    curves: Dict[Condition, List[ImageMatches]] = {(kind, float(value)): [] for kind in kinds for value in fractions}
    for sample, covered in covered_samples(samples, list(curves), seed):
        found = detector([picture.image for picture in covered.values()], score_thr=score_thr)
        matches = {condition: _match(result, sample, picture, classes, condition[0])
                   for (condition, picture), result in zip(covered.items(), found)}
        for condition, rows in curves.items():
            rows.append(matches[_shared(condition)])
        if progress is not None:
            progress()
    return curves


def covered_samples(samples: Sequence[BoxSample], conditions: Sequence[Condition],
                    seed: int = 0) -> Iterator[Tuple[BoxSample, Dict[Condition, CoveredImage]]]:
    """Cover every image under each condition, decoding it once.

    Args:
        samples (Sequence[BoxSample]): Images and boxes.
        conditions (Sequence[Condition]): Kinds and fractions.
        seed (int): Seed of the occluders, at least 0. Defaults to 0.

    Yields:
        tuple: The sample, and its covered images as from :func:`cover_sample`.
    """
    pool = donor_pool(samples, conditions, seed)
    for sample in samples:
        yield sample, cover_sample(sample, conditions, seed, pool)


def donor_pool(samples: Sequence[BoxSample], conditions: Sequence[Condition], seed: int = 0) -> Optional[DonorPool]:
    """Cut textures and faces from a dataset if a condition takes them.

    Args:
        samples (Sequence[BoxSample]): The dataset.
        conditions (Sequence[Condition]): Kinds and fractions.
        seed (int): Seed of the occluders, at least 0. Defaults to 0.

    Returns:
        DonorPool, optional: The pictures, None if no condition takes them.
    """
    return DonorPool(samples, seed) if any(kind in _CUT_KINDS and fraction for kind, fraction in conditions) else None


def cover_sample(sample: BoxSample, conditions: Sequence[Condition], seed: int = 0,
                 pool: Optional[DonorPool] = None) -> Dict[Condition, CoveredImage]:
    """Cover one image under each condition.

    Args:
        sample (BoxSample): Image and boxes.
        conditions (Sequence[Condition]): Kinds and fractions.
        seed (int): Seed of the occluders, at least 0. Defaults to 0.
        pool (DonorPool, optional): Result of :func:`donor_pool`. Defaults to None.

    Returns:
        Dict[Condition, CoveredImage]: Images by condition. All conditions of fraction 0 share one: ``('', 0.0)``.

    Raises:
        OSError: The image cannot be read; the message names it.
    """
    image, boxes = read_image(sample.path), sample.boxes[~sample.ignore]
    donors = pool.without(sample.path) if pool else NO_DONORS
    return {
        (kind, fraction): cover_boxes(image, boxes, fraction, kind or KINDS[0],
                                      image_generator(seed, sample.path, kind), donors)
        for kind, fraction in dict.fromkeys(map(_shared, conditions))
    }


def _shared(condition: Condition) -> Condition:
    return condition if condition[1] else ('', 0.0)


def _match(result: DetectionResult, sample: BoxSample, covered: CoveredImage, classes: Optional[Sequence[str]],
           kind: str) -> ImageMatches:
    kept = np.ones(len(result), bool) if classes is None else np.isin(result.class_names, classes)
    if kind == 'face':
        kept &= ~_shows_pasted_face(result.boxes, sample.boxes, covered)
    return match_image(result.boxes[kept], result.scores[kept], sample.boxes, sample.ignore)


def _shows_pasted_face(boxes: np.ndarray, gt_boxes: np.ndarray, covered: CoveredImage) -> np.ndarray:
    """Mark detections (N,) of a pasted face: those that overlap one more than any annotated box.

    Such a detection is correct but does not show that the covered face was found; it is not a false positive either.
    """
    pasted = np.array([occluder.box for occluder in covered.occluders if occluder is not None]).reshape(-1, 4)
    to_pasted, to_annotated = (box_iou(boxes, others).max(1, initial=0) for others in (pasted, gt_boxes))
    return (to_pasted >= _MATCH) & (to_pasted > to_annotated)
