"""Mosaic and random affine in one transform."""
import random
from typing import List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
from mmdet.structures.bbox import HorizontalBoxes, autocast_box_type
from mmyolo.datasets.transforms import Mosaic, YOLOv5RandomAffine

from mmseam.registry import TRANSFORMS

from .affine_paste import affine_paste

_POSITIONS = ('top_left', 'top_right', 'bottom_left', 'bottom_right')


class _Tile(NamedTuple):
    """One of the four images with its annotations; never changed, since later mosaics may use it again."""
    image: np.ndarray  # BGRA, for affine_paste
    boxes: np.ndarray  # (N, 4), x1, y1, x2, y2 in pixels of the image
    labels: np.ndarray
    ignored: np.ndarray

    @classmethod
    def of(cls, results: dict) -> '_Tile':
        boxes = results['gt_bboxes'].tensor.numpy()
        image = cv2.cvtColor(results['img'], cv2.COLOR_BGR2BGRA)
        return cls(image, boxes, results['gt_bboxes_labels'], results['gt_ignore_flags'])


@TRANSFORMS.register_module()
class MosaicAffine(Mosaic):
    """MMYOLO's ``Mosaic`` followed by ``YOLOv5RandomAffine``, in one step and with a fraction of the work.

    The same random numbers give the same boxes and the same image. Resizing, placement and affine transformation of
    each of the four images are combined into one matrix, with which the visible part of the image is warped directly
    into the result. This avoids a canvas of four times the size and needs one interpolation instead of two.

    With ``use_cached``, the other three images are drawn from those that this process loaded recently, so one image
    is decoded per sample instead of four. Until the cache has ``max_cached_images`` images, they are loaded from the
    dataset. (With the option of the same name, MMYOLO's transforms begin with samples that are not mosaics, and
    deep-copy all images.) A new image replaces a random one in the cache, so an image stays there for
    ``max_cached_images`` samples on average. In an epoch, every image is the first image of one mosaic and another
    image of three mosaics on average, with or without the cache.

    Required Keys:

    - img (np.uint8, BGR)
    - gt_bboxes (boxes of MMDetection)
    - gt_bboxes_labels
    - gt_ignore_flags
    - dataset (which MMYOLO's datasets provide in training)

    Modified Keys: all of the above but dataset, and img_shape.

    Args:
        img_scale (Tuple[int, int]): Width and height of the result, and of the area into which each image is fitted
            before the affine transformation. Defaults to (640, 640).
        center_ratio_range (Tuple[float, float]): Point at which the four images meet, in units of ``img_scale``, on a
            canvas of 2 x 2 of these. Defaults to (0.5, 1.5).
        pad_val (float): Gray value of areas without image. Defaults to 114.
        pre_transform (Sequence[dict], optional): Transforms that load the other images and their annotations. Defaults
            to None.
        prob (float): Probability of applying the transform. Defaults to 1.
        use_cached (bool): Whether to draw the other images from a cache of recently loaded ones. Defaults to False.
        max_cached_images (int): Size of the cache in every worker process, at least 4. Defaults to 40.
        max_refetch (int): Maximum number of times in a row that ``pre_transform`` may return None. Defaults to 15.
        max_rotate_degree (float): Maximum rotation in either direction. Defaults to 10.
        max_translate_ratio (float): Maximum shift as a fraction of the size of the result. Defaults to 0.1.
        scaling_ratio_range (Tuple[float, float]): Minimum and maximum scale. Defaults to (0.5, 1.5).
        max_shear_degree (float): Maximum shear. Defaults to 2.
        min_bbox_size (float): Boxes whose width or height in the result is not above this many pixels are removed.
            Defaults to 2.
        min_area_ratio (float): Boxes are removed if the visible fraction of their area is not above this. Defaults to
            0.1.
        max_aspect_ratio (float): Boxes are removed if their aspect ratio is not below this. Defaults to 20.

    Raises:
        KeyError: A sample has no ``dataset``.
        ValueError: A sample has masks or keypoints.
        RuntimeError: ``pre_transform`` returns None ``max_refetch`` times in a row.
    """

    def __init__(self,
                 img_scale: Tuple[int, int] = (640, 640),
                 center_ratio_range: Tuple[float, float] = (0.5, 1.5),
                 pad_val: float = 114.0,
                 pre_transform: Optional[Sequence[dict]] = None,
                 prob: float = 1.0,
                 use_cached: bool = False,
                 max_cached_images: int = 40,
                 max_refetch: int = 15,
                 **affine) -> None:
        super().__init__(
            img_scale=img_scale,
            center_ratio_range=center_ratio_range,
            pad_val=pad_val,
            pre_transform=pre_transform,
            prob=prob,
            use_cached=use_cached,
            max_cached_images=max_cached_images,
            max_refetch=max_refetch)
        self.affine = YOLOv5RandomAffine(**affine)

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        """Make a mosaic of the sample and three others.

        Args:
            results (dict): Result dict of a loaded sample.

        Returns:
            dict: The same dict with the image and the boxes of the mosaic.
        """
        if _uniform(0, 1) > self.prob:
            return results
        if 'gt_masks' in results or 'gt_keypoints' in results:
            raise ValueError('MosaicAffine supports boxes only; for masks and keypoints use Mosaic and '
                             'YOLOv5RandomAffine')
        tiles = [_Tile.of(results), *self._other_tiles(results)]
        if self.use_cached:
            self._update_cache(tiles)
        return self._compose(results, tiles)

    def _other_tiles(self, results: dict) -> List[_Tile]:
        if self.use_cached and len(self.results_cache) >= self.max_cached_images:
            return [self.results_cache[i] for i in self.get_indexes(self.results_cache)]
        if 'dataset' not in results:
            raise KeyError("MosaicAffine needs results['dataset'], which MMYOLO's datasets and WIDERFaceDataset "
                           'provide in training')
        dataset = results['dataset']
        for _ in range(self.max_refetch):
            samples = [dict(dataset.get_data_info(i), dataset=dataset) for i in self.get_indexes(dataset)]
            loaded = [self.pre_transform(sample) if self.pre_transform else sample for sample in samples]
            if None not in loaded:
                return [_Tile.of(sample) for sample in loaded]
        raise RuntimeError(f'pre_transform of MosaicAffine returned None {self.max_refetch} times in a row')

    def _update_cache(self, tiles: List[_Tile]) -> None:
        """Cache the first tile and, until the cache is full, the others."""
        room = self.max_cached_images - len(self.results_cache)
        if room > 0:
            self.results_cache += tiles[:room]
        else:
            self.results_cache[random.randrange(self.max_cached_images)] = tiles[0]

    def _compose(self, results: dict, tiles: List[_Tile]) -> dict:
        width, height = self.img_scale
        center = [int(_uniform(*self.center_ratio_range) * side) for side in self.img_scale]
        warp, scale = self.affine._get_random_homography_matrix(height, width)
        warp = warp @ np.array([[1, 0, -width], [0, 1, -height], [0, 0, 1]], dtype=np.float32)
        image = np.full((height, width, 4), self.pad_val, dtype=np.uint8)
        placed = [self._place(tile, position, center, warp, image) for tile, position in zip(tiles, _POSITIONS)]
        boxes, kept = self._warp_boxes(np.concatenate(placed), warp, scale)
        results['img'] = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
        results['img_shape'] = (height, width)
        results['gt_bboxes'] = HorizontalBoxes(torch.from_numpy(boxes))
        results['gt_bboxes_labels'] = np.concatenate([tile.labels for tile in tiles])[kept]
        results['gt_ignore_flags'] = np.concatenate([tile.ignored for tile in tiles])[kept]
        return results

    def _place(self, tile: _Tile, position: str, center: Sequence[int], warp: np.ndarray,
               target: np.ndarray) -> np.ndarray:
        """Warp a tile into ``target`` and return its boxes on the 2 x 2 canvas."""
        height, width = tile.image.shape[:2]
        scale = min(self.img_scale[1] / height, self.img_scale[0] / width)
        pasted, cropped = self._mosaic_combine(position, center, (int(width * scale), int(height * scale)))
        shift = [pasted[0] - cropped[0], pasted[1] - cropped[1]]
        to_canvas = np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1]])
        affine_paste(target, tile.image, (warp @ to_canvas)[:2], tuple(value / scale for value in cropped))
        return tile.boxes * np.float32(scale) + np.float32(shift * 2)

    def _warp_boxes(self, boxes: np.ndarray, warp: np.ndarray, scale: float) -> Tuple[np.ndarray, np.ndarray]:
        """Warp boxes, and return those that are kept with a boolean mask of them."""
        size = np.float32(self.img_scale * 2)
        boxes = boxes.clip(0, 2 * size)
        original = (boxes[:, 2:] - boxes[:, :2]) * scale
        corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] @ warp[:2, :2].T + warp[:2, 2]
        boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1).clip(0, size)
        kept = self._is_worth_keeping(boxes[:, 2:] - boxes[:, :2], original)
        return boxes[kept], kept

    def _is_worth_keeping(self, sides: np.ndarray, original: np.ndarray) -> np.ndarray:
        """Return a mask of boxes to keep by MMYOLO's rules; ``sides`` is width and height, shape (N, 2)."""
        limits = self.affine
        longer, shorter = sides.max(1), sides.min(1)
        return ((shorter > limits.min_bbox_size) & (sides.prod(1) / (original.prod(1) + 1e-16) > limits.min_area_ratio)
                & (longer / (shorter + 1e-16) < limits.max_aspect_ratio))

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, use_cached={self.use_cached}, affine={self.affine})'


def _uniform(low: float, high: float) -> float:
    """Draw a random number from the generator that MMYOLO's transforms use."""
    return np.random.uniform(low, high)  # noqa: NPY002
