"""Copy-paste for annotations that have polygons for some objects only."""
from typing import List

import numpy as np
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import PolygonMasks
from mmyolo.datasets.transforms import LoadAnnotations, YOLOv5CopyPaste, YOLOv5RandomAffine
from torch import Tensor

from mmseam.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadPolygonsOrBoxes(LoadAnnotations):
    """MMYOLO's ``LoadAnnotations`` with masks that also keeps objects without a polygon.

    With ``mask2bbox``, MMYOLO computes boxes from polygons and drops every object without one, so a COCO file with
    boxes only trains on nothing. Here, such an object gets the rectangle of its annotated box as polygon. The same
    applies to polygons of fewer than three points and to run-length encoded masks, on which MMYOLO fails. Crowds are
    ignored as usual.

    Args:
        **kwargs: Arguments of ``mmyolo.LoadAnnotations`` except ``with_mask`` and ``mask2bbox``, which are True.
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
    """MMYOLO's copy-paste, restricted to objects with a polygon; a box would paste background too.

    Args:
        **kwargs: See ``mmyolo.YOLOv5CopyPaste``.
    """

    def transform(self, results: dict) -> dict:
        """Paste horizontally mirrored copies of objects.

        Args:
            results (dict): A sample with ``img``, ``gt_bboxes`` and, if anything is to be pasted, ``gt_masks``.

        Returns:
            dict: The sample.
        """
        self._is_rectangle = _are_rectangles(results)
        return super().transform(results)

    def bbox_ioa(self, *args, **kwargs) -> Tensor:
        """Compute the overlap of mirrored with existing objects, (N, N); infinite for objects without a polygon."""
        overlap = super().bbox_ioa(*args, **kwargs)
        overlap[self._is_rectangle] = torch.inf
        return overlap


@TRANSFORMS.register_module()
class RandomAffineOutlines(YOLOv5RandomAffine):
    """MMYOLO's affine with masks, which treats objects without an outline as its affine without masks does.

    MMYOLO makes the new box of the outline's points inside the image. Of a rectangle that covers the image, or all but
    one side of it, no points or only those of one edge are inside, and the object would be lost. Here the rectangle is
    moved and clipped as a whole. As in Ultralytics, more must be left of an object when only its box is known.

    Args:
        min_box_area_ratio (float): The share of its box that must be left of an object without an outline.
            Defaults to 0.1.
        **kwargs: As of ``mmyolo.YOLOv5RandomAffine``; ``min_area_ratio`` is for objects with an outline.
    """

    def __init__(self, min_box_area_ratio: float = 0.1, **kwargs) -> None:
        super().__init__(**kwargs)
        self.min_box_area_ratio = min_box_area_ratio

    def transform(self, results: dict) -> dict:
        """Move, scale and crop image and objects.

        Args:
            results (dict): A sample with ``img``, ``gt_bboxes`` and ``gt_masks``.

        Returns:
            dict: The sample.
        """
        self._is_rectangle = _are_rectangles(results)
        return super().transform(results)

    def segment2box(self, gt_masks: PolygonMasks, height: int, width: int) -> HorizontalBoxes:
        """Return the boxes of the moved outlines inside the image, and the moved boxes clipped to it.

        Args:
            gt_masks (PolygonMasks): Moved outlines of densely sampled points.
            height (int): Height of the image.
            width (int): Width of the image.

        Returns:
            HorizontalBoxes: The boxes.
        """
        boxes = super().segment2box(gt_masks, height, width)
        for index in self._is_rectangle.nonzero().flatten().tolist():
            points = torch.from_numpy(gt_masks.masks[index][0].reshape(-1, 2)).to(boxes.tensor)
            boxes.tensor[index] = torch.cat([points.amin(0), points.amax(0)])
            boxes.tensor[index, 0::2].clamp_(0, width)
            boxes.tensor[index, 1::2].clamp_(0, height)
        return boxes

    def filter_gt_bboxes(self, origin_bboxes: HorizontalBoxes, wrapped_bboxes: HorizontalBoxes) -> Tensor:
        """Return which objects to keep, by their boxes before and after.

        Args:
            origin_bboxes (HorizontalBoxes): Boxes before, at the new scale.
            wrapped_bboxes (HorizontalBoxes): Boxes after.

        Returns:
            Tensor: Whether to keep each object. Shape (N,).
        """
        keep = super().filter_gt_bboxes(origin_bboxes, wrapped_bboxes)
        enough = wrapped_bboxes.areas > self.min_box_area_ratio * origin_bboxes.areas
        return keep & (enough | ~self._is_rectangle)


def _with_polygon(instance: dict) -> dict:
    mask = instance.get('mask')
    if isinstance(mask, list) and any(len(polygon) >= 6 and len(polygon) % 2 == 0 for polygon in mask):
        return instance
    x1, y1, x2, y2 = instance['bbox']
    return dict(instance, mask=[[x1, y1, x2, y1, x2, y2, x1, y2]])


def _are_rectangles(results: dict) -> Tensor:
    masks = getattr(results.get('gt_masks'), 'masks', [])
    return torch.tensor([_is_rectangle(polygons) for polygons in masks], dtype=torch.bool)


def _is_rectangle(polygons: List[np.ndarray]) -> bool:
    """Return whether the polygon is an axis-aligned rectangle, as for objects annotated with a box only."""
    if len(polygons) != 1 or polygons[0].size != 8:
        return False
    corners = polygons[0].reshape(4, 2)
    is_corner = (corners == corners.min(0)) | (corners == corners.max(0))
    return bool(is_corner.all()) and len(np.unique(corners, axis=0)) == 4
