"""Mosaic and random affine in one step."""
import random
from typing import List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
from mmdet.structures.bbox import HorizontalBoxes, autocast_box_type
from mmyolo.datasets.transforms import Mosaic, YOLOv5RandomAffine

from mmseam.registry import TRANSFORMS

from .affine_paste import affine_paste

_PLACES = ('top_left', 'top_right', 'bottom_left', 'bottom_right')


class _Tile(NamedTuple):
    """One of the four images with its annotations. Kept for later mosaics, so nothing of it is ever changed."""
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

    The same random numbers make the same boxes and the same picture. Resizing, placing and the affine are one matrix
    for each of the four images, by which the visible part of the image is warped straight to its place: no canvas
    of four times the size, most of which is thrown away, and one interpolation instead of two.

    With ``use_cached`` the other three images are some of those that this process loaded last, so that one image is
    decoded per sample instead of four; until ``max_cached_images`` are there, they are loaded from the dataset.
    (MMYOLO's transforms of this name start with samples that are no mosaics, and copy all images deeply.) A place in
    the memory that is needed for a new image is taken from a random one, so an image serves on average
    ``max_cached_images`` samples later still. In an epoch every image is the first of one mosaic, and one of the
    others of three on average, with or without the memory.

    Required keys: ``img`` (uint8, BGR), ``gt_bboxes`` (boxes of MMDetection), ``gt_bboxes_labels``,
    ``gt_ignore_flags``, and ``dataset``, which MMYOLO's datasets pass along in training. Modified: all but the last,
    and ``img_shape``.

    Args:
        img_scale (Tuple[int, int]): Width and height of the result, and of the square into which each image is
            fitted before the affine. Defaults to (640, 640).
        center_ratio_range (Tuple[float, float]): Where the four images meet, in units of ``img_scale``, on a plane of
            2 x 2 of these. Defaults to (0.5, 1.5).
        pad_val (float): Gray value where no image is. Defaults to 114.
        pre_transform (Sequence[dict], optional): Loads the other images and their annotations. Defaults to None.
        prob (float): Probability; other samples stay as they are. Defaults to 1.
        use_cached (bool): Whether the other images come from those loaded last. Defaults to False.
        max_cached_images (int): How many these are, in every worker process, at least 4. Defaults to 40.
        max_refetch (int): How often ``pre_transform`` may give None before that is an error. Defaults to 15.
        max_rotate_degree (float): Largest rotation, either way. Defaults to 10.
        max_translate_ratio (float): Largest shift, in parts of the result's size. Defaults to 0.1.
        scaling_ratio_range (Tuple[float, float]): Smallest and largest scale. Defaults to (0.5, 1.5).
        max_shear_degree (float): Largest shear. Defaults to 2.
        min_bbox_size (float): Boxes no wider or no higher than this, in pixels of the result, are left out.
            Defaults to 2.
        min_area_ratio (float): So are boxes of which no more than this part is inside. Defaults to 0.1.
        max_aspect_ratio (float): So are boxes at least so many times longer than wide. Defaults to 20.

    Raises:
        KeyError: A sample brings no ``dataset``.
        ValueError: A sample has masks or key points.
        RuntimeError: ``pre_transform`` gives nothing but None.
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
            results (dict): A loaded sample.

        Returns:
            dict: The same dict with the picture and the boxes of the mosaic.
        """
        if _uniform(0, 1) > self.prob:
            return results
        if 'gt_masks' in results or 'gt_keypoints' in results:
            raise ValueError('MosaicAffine knows boxes only; for masks and key points use Mosaic and '
                             'YOLOv5RandomAffine')
        tiles = [_Tile.of(results), *self._other_tiles(results)]
        if self.use_cached:
            self._remember(tiles)
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
        raise RuntimeError(f'pre_transform of MosaicAffine gave None {self.max_refetch} times in a row')

    def _remember(self, tiles: List[_Tile]) -> None:
        """Keep the first tile and, until there are enough, the others."""
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
        placed = [self._place(tile, place, center, warp, image) for tile, place in zip(tiles, _PLACES)]
        boxes, kept = self._warp_boxes(np.concatenate(placed), warp, scale)
        results['img'] = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
        results['img_shape'] = (height, width)
        results['gt_bboxes'] = HorizontalBoxes(torch.from_numpy(boxes))
        results['gt_bboxes_labels'] = np.concatenate([tile.labels for tile in tiles])[kept]
        results['gt_ignore_flags'] = np.concatenate([tile.ignored for tile in tiles])[kept]
        return results

    def _place(self, tile: _Tile, place: str, center: Sequence[int], warp: np.ndarray,
               target: np.ndarray) -> np.ndarray:
        """Draw a tile; its boxes on the plane of 2 x 2."""
        height, width = tile.image.shape[:2]
        scale = min(self.img_scale[1] / height, self.img_scale[0] / width)
        pasted, cropped = self._mosaic_combine(place, center, (int(width * scale), int(height * scale)))
        shift = [pasted[0] - cropped[0], pasted[1] - cropped[1]]
        to_plane = np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1]])
        affine_paste(target, tile.image, (warp @ to_plane)[:2], tuple(value / scale for value in cropped))
        return tile.boxes * np.float32(scale) + np.float32(shift * 2)

    def _warp_boxes(self, boxes: np.ndarray, warp: np.ndarray, scale: float) -> Tuple[np.ndarray, np.ndarray]:
        """Boxes of the result, and which of the given ones they are (bool)."""
        size = np.float32(self.img_scale * 2)
        boxes = boxes.clip(0, 2 * size)
        original = (boxes[:, 2:] - boxes[:, :2]) * scale
        corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] @ warp[:2, :2].T + warp[:2, 2]
        boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1).clip(0, size)
        kept = self._is_worth_keeping(boxes[:, 2:] - boxes[:, :2], original)
        return boxes[kept], kept

    def _is_worth_keeping(self, sides: np.ndarray, original: np.ndarray) -> np.ndarray:
        """Whether enough is left of boxes of these widths and heights, shape (N, 2); MMYOLO's rules."""
        limits = self.affine
        longer, shorter = sides.max(1), sides.min(1)
        return ((shorter > limits.min_bbox_size) & (sides.prod(1) / (original.prod(1) + 1e-16) > limits.min_area_ratio)
                & (longer / (shorter + 1e-16) < limits.max_aspect_ratio))

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, use_cached={self.use_cached}, affine={self.affine})'


def _uniform(low: float, high: float) -> float:
    """A random number from the generator that MMYOLO's transforms use."""
    return np.random.uniform(low, high)  # noqa: NPY002
