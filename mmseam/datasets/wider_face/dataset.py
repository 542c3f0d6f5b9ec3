"""WIDER FACE dataset for MMYOLO and MMDetection."""
import os.path as osp
from typing import List, Tuple

import numpy as np
from mmengine.logging import print_log
from mmyolo.datasets.yolov5_coco import BatchShapePolicyDataset

from mmseam.datasets.coco import require_images
from mmseam.registry import DATASETS

from ..image_files import UNREADABLE
from .annotations import WIDER_FACE_ATTRIBUTES
from .index import WIDERFaceIndex, load_wider_face_index

_INVALID = WIDER_FACE_ATTRIBUTES.index('invalid')


@DATASETS.register_module()
class WIDERFaceDataset(BatchShapePolicyDataset):
    """WIDER FACE dataset, read from the official split file and image folders without conversion.

    .. code-block:: python

        dict(
            type='mmseam.WIDERFaceDataset',
            data_root='data/WIDERFace/',
            ann_file='wider_face_split/wider_face_train_bbx_gt.txt',
            data_prefix=dict(img='WIDER_train/images/'),
            filter_cfg=dict(filter_empty_gt=False, min_size=32),
            min_face_size=4)

    The ``data_info`` of an image has ``img_id`` (its 0-based index in the split file), ``file_name``
    (``event/name.jpg``), ``img_path``, ``width``, ``height`` and ``instances``. An instance has ``bbox`` (x1, y1,
    x2, y2 in pixels), ``bbox_label`` 0, ``ignore_flag`` and ``attributes`` (a dict with all of
    :data:`WIDER_FACE_ATTRIBUTES`). ``width`` and ``height`` are -1 if the image file has no readable header.

    Faces that are marked invalid or have zero width or height are ignored. MMYOLO's ``LoadAnnotations`` drops ignored
    faces; MMDetection's keeps them, and ``PackDetInputs`` moves them to ``ignored_instances``. Neither trains on them.
    **In training**, boxes are also clipped to the image, and a face is ignored if it is completely outside or if the
    part inside is smaller than ``min_face_size``. **In test mode**, boxes are exactly those of the file, as the
    official evaluation requires.

    The first start reads the size of every image and caches it; see
    :func:`~mmseam.datasets.wider_face.index.load_wider_face_index`.

    Args:
        min_face_size (float): In training, faces whose shorter side is below this many pixels **of the original
            image** are ignored. This drops faces, not images. To drop images, use MMDetection's
            ``filter_cfg=dict(min_size=…)`` (minimum shorter side of the image) and ``filter_empty_gt`` (no face left
            that is not ignored). Defaults to 0.
        missing (str): How to handle missing images of the split file: ``'error'``, or ``'skip'`` to continue with the
            others. Defaults to ``'error'``.
        batch_shapes_cfg (dict, optional): MMYOLO's ``BatchShapePolicy``, for testing in batches with little padding.
            Defaults to None.
        *args, **kwargs: See ``mmengine.dataset.BaseDataset``.

    Raises:
        ValueError: ``missing`` is unknown, ``min_face_size`` is negative, or ``metainfo`` does not name exactly one
            class.
        FileNotFoundError: The split file or an image is missing.
        OSError: In test mode, an image has no readable header. (In training, such an image stays in the dataset, and
            :class:`LoadIntactImage` replaces it with a warning.)
    """

    METAINFO = {'classes': ('face', ), 'palette': [(0, 255, 0)]}

    def __init__(self, *args, min_face_size: float = 0, missing: str = 'error', **kwargs) -> None:
        if missing not in ('error', 'skip'):
            raise ValueError(f"missing must be 'error' or 'skip', but is {missing!r}")
        if min_face_size < 0:
            raise ValueError(f'min_face_size must not be negative, but is {min_face_size}')
        self.min_face_size = min_face_size
        self.missing = missing
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> List[dict]:
        """Load the images of the split.

        Returns:
            List[dict]: One ``data_info`` per image.
        """
        classes = self.metainfo['classes']
        if len(classes) != 1:
            raise ValueError(f'WIDER FACE has one class, but metainfo names {len(classes)}: {tuple(classes)}')
        index = load_wider_face_index(self.ann_file, self.data_prefix['img'])
        # In training, LoadIntactImage replaces unreadable images with a warning.
        usable = index.usable_images(skip=self.missing == 'skip', allow_unreadable=not self.test_mode)
        # Flat arrays: 160,000 instance dicts would take seconds to create and to serialize at every start.
        self._annotations = index.annotations
        self._boxes, self._ignored = self._read_boxes(index)
        return [self._image_info(index, i) for i in usable]

    def get_data_info(self, idx: int) -> dict:
        """Get the image and faces of a sample.

        Args:
            idx (int): Index of the sample.

        Returns:
            dict: The ``data_info`` of the sample; see the class.
        """
        data_info = super().get_data_info(idx)
        data_info['instances'] = self._instances(data_info['img_id'])
        return data_info

    def filter_data(self) -> List[dict]:
        """Filter the training images according to ``filter_cfg``.

        Returns:
            List[dict]: The remaining images.
        """
        return require_images(self._filtered(), self.ann_file)

    def _filtered(self) -> List[dict]:
        if self.test_mode or self.filter_cfg is None:
            return self.data_list
        unknown = set(self.filter_cfg) - {'filter_empty_gt', 'min_size'}
        if unknown:
            raise ValueError(f'filter_cfg supports filter_empty_gt and min_size (of images; for faces, set '
                             f'min_face_size of the dataset), but has {sorted(unknown)}')
        min_size = self.filter_cfg.get('min_size', 0)
        # Images of unknown size are kept, so that LoadIntactImage reports them.
        kept = [
            info for info in self.data_list
            if info['width'] == UNREADABLE or min(info['width'], info['height']) >= min_size
        ]
        if self.filter_cfg.get('filter_empty_gt', False):
            kept = [info for info in kept if not self._ignored[self._annotations.faces(info['img_id'])].all()]
        return kept

    def _image_info(self, index: WIDERFaceIndex, i: int) -> dict:
        file_name = index.annotations.file_names[i]
        width, height = index.sizes[i].tolist()
        return dict(
            img_id=i,
            file_name=file_name,
            img_path=osp.join(self.data_prefix['img'], file_name),
            width=width,
            height=height)

    def _instances(self, i: int) -> List[dict]:
        """List the faces of the i-th image of the split file."""
        faces = self._annotations.faces(i)
        return [
            dict(bbox=box, bbox_label=0, ignore_flag=int(ignored), attributes=dict(zip(WIDER_FACE_ATTRIBUTES, values)))
            for box, ignored, values in zip(self._boxes[faces].tolist(), self._ignored[faces].tolist(),
                                            self._annotations.attributes[faces].tolist())
        ]

    def _read_boxes(self, index: WIDERFaceIndex) -> Tuple[np.ndarray, np.ndarray]:
        """Return the boxes (x1, y1, x2, y2) of all faces, shape (F, 4), and whether they are ignored, shape (F,)."""
        annotations = index.annotations
        boxes = annotations.boxes.copy()
        boxes[:, 2:] += boxes[:, :2]
        ignored = (annotations.attributes[:, _INVALID] == 1) | (annotations.boxes[:, 2:] <= 0).any(axis=1)
        if self.test_mode:
            return boxes, ignored
        sizes = np.repeat(index.sizes, np.diff(annotations.offsets), axis=0)
        return self._fit_for_training(boxes, ignored, sizes)

    def _fit_for_training(self, boxes: np.ndarray, ignored: np.ndarray,
                          sizes: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Clip boxes to their images and ignore empty or too small ones. ``sizes`` has one row per face."""
        limits = np.where(sizes > 0, sizes, np.inf)
        clipped = np.clip(boxes, 0, np.tile(limits, 2)).astype(np.float32)
        clipped[:, 2:] = np.maximum(clipped[:, 2:], clipped[:, :2])
        short_side = (clipped[:, 2:] - clipped[:, :2]).min(axis=1)
        empty = ~ignored & (short_side <= 0)
        small = ~ignored & ~empty & (short_side < self.min_face_size)
        cut = int(((clipped != boxes).any(axis=1) & ~ignored & ~empty).sum())
        if cut or empty.any() or small.any() or ignored.any():
            print_log(f'{self.ann_file}: {len(boxes)} faces; not trained on: {int(ignored.sum())} invalid or of zero '
                      f'size, {int(empty.sum())} outside their image, {int(small.sum())} smaller than '
                      f'{self.min_face_size} px; clipped to their image: {cut}', logger='current')
        return clipped, ignored | empty | small
