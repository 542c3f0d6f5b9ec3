"""Polygons where the annotations have them, boxes where they do not."""
from typing import List

import numpy as np
import torch
from mmyolo.datasets.transforms import LoadAnnotations, YOLOv5CopyPaste
from torch import Tensor

from mmseam.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadPolygonsOrBoxes(LoadAnnotations):
    """MMYOLO's ``LoadAnnotations`` with masks, which also keeps objects without a polygon.

    With ``mask2bbox``, MMYOLO makes boxes of the polygons and drops every object that has none, so that a COCO file of
    boxes alone trains on nothing. Here such an object's polygon is the rectangle of its annotated box. The same goes
    for polygons of fewer than three points and for run-length encoded masks, at which MMYOLO stops. Crowds are ignored
    as usual.

    Args:
        **kwargs: As of ``mmyolo.LoadAnnotations`` but ``with_mask`` and ``mask2bbox``, which are set.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(with_mask=True, mask2bbox=True, **kwargs)

    def _load_masks(self, results: dict) -> None:
        instances = results.get('instances', [])
        results['instances'] = [_with_polygon(instance) for instance in instances]
        super()._load_masks(results)
        results['instances'] = instances


@TRANSFORMS.register_module()
class CopyPasteOutlines(YOLOv5CopyPaste):
    """MMYOLO's copy-paste for objects whose outline is known; a rectangle would paste its background too.

    Args:
        **kwargs: As of ``mmyolo.YOLOv5CopyPaste``.
    """

    def transform(self, results: dict) -> dict:
        """Paste objects at their mirrored places.

        Args:
            results (dict): A sample with ``img``, ``gt_bboxes`` and, of whatever is to be pasted, ``gt_masks``.

        Returns:
            dict: The sample.
        """
        masks = getattr(results.get('gt_masks'), 'masks', [])
        self._is_rectangle = torch.tensor([_is_rectangle(polygons) for polygons in masks], dtype=torch.bool)
        return super().transform(results)

    def bbox_ioa(self, *args, **kwargs) -> Tensor:
        """Overlap of each mirrored object with each object, (N, N): those without outline never have room."""
        overlap = super().bbox_ioa(*args, **kwargs)
        overlap[self._is_rectangle] = torch.inf
        return overlap


def _with_polygon(instance: dict) -> dict:
    mask = instance.get('mask')
    if isinstance(mask, list) and any(len(polygon) >= 6 and len(polygon) % 2 == 0 for polygon in mask):
        return instance
    x1, y1, x2, y2 = instance['bbox']
    return dict(instance, mask=[[x1, y1, x2, y1, x2, y2, x1, y2]])


def _is_rectangle(polygons: List[np.ndarray]) -> bool:
    """Whether the polygon is an upright rectangle, as that of an object of which only the box is known."""
    if len(polygons) != 1 or polygons[0].size != 8:
        return False
    corners = polygons[0].reshape(4, 2)
    is_corner = (corners == corners.min(0)) | (corners == corners.max(0))
    return bool(is_corner.all()) and len(np.unique(corners, axis=0)) == 4
