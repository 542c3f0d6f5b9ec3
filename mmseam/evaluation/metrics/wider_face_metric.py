"""MMEngine metric with the WIDER FACE protocol."""
from typing import Dict, List, Mapping, Optional, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmseam.registry import METRICS
from mmseam.utils.atomic_write import atomic_folder
from mmseam.utils.wider_face_names import WIDER_FACE_ATTRIBUTES

from ..functional import (
    DERIVED_SUBSETS,
    STANDARD_SLICES,
    WIDERFaceGroundTruth,
    evaluate_wider_face,
    image_key,
    read_official_ground_truth,
    select_faces,
)
from ..functional.wider_face.matching import detection_rows


@METRICS.register_module()
class WIDERFaceMetric(BaseMetric):
    """Average precision in percent by the official WIDER FACE protocol.

    With the official keep-lists, the results are named ``easy``, ``medium`` and ``hard`` and are those of the
    benchmark; images of the lists that were not evaluated count as images without detections. Without them, subsets
    are derived from the heights of the annotated faces (over 50, 30 and 10 pixels) and named ``derived_easy``,
    ``derived_medium`` and ``derived_hard``. On val these are close to the official ones, but not comparable to them.

    Boxes must be in pixels of the original image and not rounded, and the detector must return many: for the
    detections of RetinaFace-MobileNet0.25, a limit of 300 per image costs 1.3 points on hard, a score threshold of .25
    costs 5.9.

    Args:
        gt_dir (str, optional): Folder of the official ``.mat`` files. Defaults to None, which derives the subsets from
            ``instances`` of the data samples (keep them with ``meta_keys=(…, 'instances')`` of ``PackDetInputs``).
        slices (Sequence[str], optional): Additional results for boolean expressions over attributes, height and
            subsets, for example ``('occlusion=heavy', 'hard & blur=heavy')``. Defaults to None, which means all
            standard slices by occlusion.
        submission_dir (str, optional): Folder for one ``event/image.txt`` per image, the official submission format.
            Defaults to None, which writes nothing.
        format_only (bool): Whether to only write ``submission_dir``, as for the test split. Defaults to False.
        collect_device (str): Device on which results of several processes are collected, 'cpu' or 'gpu'. Defaults to
            'cpu'.
        prefix (str, optional): Prefix of the names of the results. Defaults to None, which means 'wider_face'.

    Raises:
        ValueError: ``format_only`` is set without ``submission_dir``.
    """

    default_prefix = 'wider_face'

    def __init__(self,
                 gt_dir: Optional[str] = None,
                 slices: Optional[Sequence[str]] = None,
                 submission_dir: Optional[str] = None,
                 format_only: bool = False,
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if format_only and submission_dir is None:
            raise ValueError('format_only needs submission_dir, the folder to write to')
        self.ground_truth = read_official_ground_truth(gt_dir) if gt_dir else None
        self.slices = [name for name in STANDARD_SLICES if name.startswith('occlusion')] if slices is None else slices
        self.submission_dir = submission_dir
        self.format_only = format_only

    def check_images(self, paths: Sequence[str]) -> None:
        """Check that ``event/image`` identifies every image, as official lists and submissions require.

        Args:
            paths (Sequence[str]): Paths of all images of the set.

        Raises:
            ValueError: Two images have the same last folder and file name.
        """
        if self.ground_truth is None and self.submission_dir is None:
            return
        known: Dict[str, str] = {}
        for path in paths:
            other = known.setdefault(image_key(path), path)
            if other != path:
                raise ValueError('WIDERFaceMetric with gt_dir or submission_dir identifies images by folder and file '
                                 f'name, which are the same for {other} and {path}; rename one')

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Store detections and, without ``gt_dir``, the ground truth.

        Args:
            data_batch (dict): Unused.
            data_samples (Sequence[dict]): Data samples with ``pred_instances``, ``img_path`` and, without ``gt_dir``,
                ``instances``.
        """
        for sample in data_samples:
            predicted = sample['pred_instances']
            rows = detection_rows(predicted['bboxes'].cpu().numpy(), predicted['scores'].cpu().numpy())
            result = dict(path=str(sample['img_path']), detections=rows)
            if self.ground_truth is None and not self.format_only:
                result.update(_faces_of(sample))
            self.results.append(result)

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Evaluate the complete set.

        Args:
            results (list[dict]): Results of :meth:`process` from all processes, each image once.

        Returns:
            dict[str, float]: AP in percent by subset (hardest first, so that ``save_best='auto'`` uses it) and by
            slice; NaN for a slice without faces. Empty if ``format_only`` is set.

        Raises:
            ValueError: See :meth:`check_images`.
        """
        self.check_images([result['path'] for result in results])
        detections = {image_key(result['path']): result['detections'] for result in results}
        if self.submission_dir is not None:
            write_submission(self.submission_dir, detections)
            MMLogger.get_current_instance().info(f'{len(detections)} result files are in {self.submission_dir}')
        if self.format_only:
            return {}
        truth = self.ground_truth
        if truth is None:
            # By index: outside of WIDER FACE, names such as `images/1` need not be unique.
            truth = _derived_ground_truth(results)
            detections = {str(i): result['detections'] for i, result in enumerate(results)}
        subsets = {**dict(reversed(truth.subsets.items())), **select_faces(truth, {text: text for text in self.slices})}
        return {name: 100 * result.ap for name, result in evaluate_wider_face(truth, detections, subsets).items()}


def _faces_of(sample: Mapping) -> dict:
    """Return boxes (xywh) and attributes of the annotated faces of a sample."""
    if 'instances' not in sample:
        raise KeyError("WIDERFaceMetric without gt_dir needs the annotations: add 'instances' to meta_keys of "
                       'PackDetInputs in the test pipeline')
    instances = sample['instances']
    boxes = np.array([instance['bbox'] for instance in instances], dtype=np.float64).reshape(-1, 4)
    boxes[:, 2:] -= boxes[:, :2]
    attributes = {name: [face['attributes'][name] for face in instances] for name in WIDER_FACE_ATTRIBUTES}
    return dict(faces=boxes, attributes=attributes)


def _derived_ground_truth(results: Sequence[dict]) -> WIDERFaceGroundTruth:
    """Build the ground truth from the annotations of the dataset, with subsets by height."""
    attributes = {name: [result['attributes'][name] for result in results] for name in WIDER_FACE_ATTRIBUTES}
    truth = WIDERFaceGroundTruth.from_images([str(i) for i in range(len(results))],
                                             [result['faces'] for result in results], attributes=attributes)
    truth.subsets.update(select_faces(truth, DERIVED_SUBSETS))
    return truth


def write_submission(folder: str, detections: Mapping[str, np.ndarray]) -> None:
    """Write detections in the format of a WIDER FACE submission.

    Args:
        folder (str): Folder to write ``event/image.txt`` to; existing files are replaced after all are written.
        detections (Mapping[str, np.ndarray]): Detections by ``event/image``, shape (n, 5): left, top, width, height,
            score. Numbers are written with full precision.
    """
    with atomic_folder(folder) as temporary:
        for key, rows in detections.items():
            lines = [key.split('/')[-1], str(len(rows)), *(' '.join(repr(float(v)) for v in row) for row in rows)]
            path = temporary / f'{key}.txt'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(('\n'.join(lines) + '\n').encode())
