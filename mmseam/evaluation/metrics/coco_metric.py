"""COCO box metric with the same detection limit for all values."""
import tempfile
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np
from mmdet.datasets.api_wrappers import COCO, COCOeval, COCOevalMP
from mmdet.evaluation import CocoMetric as HostCocoMetric
from mmengine.fileio import load
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from mmseam.registry import METRICS

_AREAS = dict(s='small', m='medium', l='large')
_DEFAULT_ITEMS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')


class _Column(NamedTuple):
    """Values that a metric averages: 'precision' or 'recall', IoU (None: all), area range, limit of detections."""
    kind: str
    iou: Optional[float]
    area: str
    limit: int


@METRICS.register_module()
class CocoMetric(HostCocoMetric):
    """mmdet's ``CocoMetric`` for boxes, with the configured limit of detections per image for all values.

    pycocotools computes AP from the best 100 detections of an image, whatever ``proposal_nums`` is, but AP50, AP75 and
    the APs by area with the largest of ``proposal_nums``. Therefore 400 perfect detections of 400 faces have an AP of
    .257 but an AP50 of 1, and if ``proposal_nums`` does not contain 100, AP is -1. Here, all values use the largest of
    ``proposal_nums``; if that is 100, as for COCO, they equal those of pycocotools. They are not rounded.

    The names of the results are those of mmdet, except that AR names its real limits: ``bbox_mAP``, ``bbox_mAP_50``,
    ``bbox_mAP_75``, ``bbox_mAP_s``, ``bbox_mAP_m``, ``bbox_mAP_l`` and, with ``metric_items``, ``AR@`` with each of
    ``proposal_nums`` and ``AR_s@``, ``AR_m@`` and ``AR_l@`` with the largest. A value without ground truth is -1. If
    nothing is detected, AP is 0.

    Args:
        *args, **kwargs: See ``mmdet.CocoMetric``.

    Raises:
        ValueError: ``metric`` is not ``'bbox'``.
        KeyError: ``metric_items`` has an unknown name.
    """

    # Attributes of the base class
    _coco_api: Any
    cat_ids: Optional[List[int]]
    img_ids: Optional[List[int]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.metrics != ['bbox']:
            raise ValueError(f"mmseam.CocoMetric measures boxes only; use mmdet.CocoMetric for metric={self.metrics}")
        self._columns = _columns(sorted(self.proposal_nums))
        unknown = [item for item in self.metric_items or () if item not in self._columns]
        if unknown:
            raise KeyError(f'metric_items: no {", ".join(unknown)}; there are {", ".join(self._columns)}')

    def compute_metrics(self, results: list) -> Dict[str, float]:
        """Evaluate the complete set.

        Args:
            results (list): Results of ``process`` from all processes, each image once.

        Returns:
            dict[str, float]: Values by name; empty if ``format_only`` is set.
        """
        ground_truth, predictions = zip(*results)
        with tempfile.TemporaryDirectory() as folder:
            prefix = self.outfile_prefix or str(Path(folder, 'results'))
            if self._coco_api is None:
                self._coco_api = COCO(self.gt_to_coco_json(ground_truth, prefix))
            self.cat_ids = self.cat_ids or self._coco_api.get_cat_ids(cat_names=self.dataset_meta['classes'])
            self.img_ids = self.img_ids or self._coco_api.get_img_ids()
            file = self.results2json(predictions, prefix)['bbox']
            if self.format_only:
                MMLogger.get_current_instance().info(f'the detections are in {file}')
                return {}
            evaluation = self._evaluate(load(file))
        figures = {f'bbox_{item}': _mean(evaluation, self._columns[item])
                   for item in self.metric_items or _DEFAULT_ITEMS}
        return {**(self._by_category(evaluation) if self.classwise else {}), **figures}

    def _evaluate(self, detections: List[dict]) -> COCOeval:
        # pycocotools cannot load an empty list.
        detected = self._coco_api.loadRes(detections) if detections else _empty_like(self._coco_api)
        evaluation = (COCOevalMP if self.use_mp_eval else COCOeval)(self._coco_api, detected, 'bbox')
        evaluation.params.catIds = self.cat_ids
        evaluation.params.imgIds = self.img_ids
        evaluation.params.maxDets = list(self.proposal_nums)
        evaluation.params.iouThrs = np.atleast_1d(self.iou_thrs)
        evaluation.evaluate()
        evaluation.accumulate()
        return evaluation

    def _by_category(self, evaluation: COCOeval) -> Dict[str, float]:
        """Return the AP of each category, and log a table of all values by category."""
        rows = [[category['name'], *(_mean(evaluation, self._columns[item], index) for item in _DEFAULT_ITEMS)]
                for index, category in enumerate(self._coco_api.load_cats(evaluation.params.catIds))]
        table = [['category', *_DEFAULT_ITEMS], *([row[0], *(f'{value:.3f}' for value in row[1:])] for row in rows)]
        MMLogger.get_current_instance().info('\n' + AsciiTable(table).table)
        return {f'{row[0]}_precision': row[1] for row in rows}


def _columns(limits: List[int]) -> Dict[str, _Column]:
    most = limits[-1]
    return {
        'mAP': _Column('precision', None, 'all', most),
        'mAP_50': _Column('precision', .5, 'all', most),
        'mAP_75': _Column('precision', .75, 'all', most),
        **{f'mAP_{letter}': _Column('precision', None, area, most) for letter, area in _AREAS.items()},
        **{f'AR@{limit}': _Column('recall', None, 'all', limit) for limit in limits},
        **{f'AR_{letter}@{most}': _Column('recall', None, area, most) for letter, area in _AREAS.items()},
    }


def _mean(evaluation: COCOeval, column: _Column, category: Optional[int] = None) -> float:
    """Average over IoU thresholds, recall levels and categories with ground truth; return -1 without ground truth."""
    params = evaluation.params
    values = evaluation.eval[column.kind][..., params.areaRngLbl.index(column.area), params.maxDets.index(column.limit)]
    if column.iou is not None:
        values = values[np.isclose(params.iouThrs, column.iou)]
    values = values if category is None else values[..., category]
    known = values[values > -1]
    return float(known.mean()) if known.size else -1.


def _empty_like(truth: COCO) -> COCO:
    empty = COCO()
    empty.dataset = dict(images=truth.dataset['images'], categories=truth.dataset['categories'], annotations=[])
    empty.createIndex()
    return empty
