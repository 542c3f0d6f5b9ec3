"""Preprocess images for a network, and map boxes back to the original images."""
import math
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import cv2
import numpy as np
import torch
from mmyolo.datasets.transforms import LetterResize

from mmseam.models.utils import clip_to_image, to_original_scale

_META_KEYS = ('ori_shape', 'img_shape', 'scale_factor', 'pad_param')


class Normalization(NamedTuple):
    """Normalization and padding settings of mmdet's ``DetDataPreprocessor``.

    Args:
        mean (Sequence[float]): Channel means, on the scale 0 to 255.
        std (Sequence[float]): Channel standard deviations.
        to_rgb (bool): Whether to convert BGR images to RGB first.
        size_divisor (int): Pad height and width to multiples of this, right and bottom. Defaults to 1.
        pad_value (float): Value of the padding after normalization. Defaults to 0.
    """
    mean: Sequence[float]
    std: Sequence[float]
    to_rgb: bool
    size_divisor: int = 1
    pad_value: float = 0.


class ImageBatch(NamedTuple):
    """Input of a network.

    Args:
        inputs (np.ndarray): float32 (B, 3, H, W), normalized.
        metas (List[Dict[str, Any]]): For each image ``ori_shape``, ``img_shape``, ``scale_factor`` (width, height),
            ``batch_input_shape`` and, if padded, ``pad_param`` (top, bottom, left, right), as in mmdet.
    """
    inputs: np.ndarray
    metas: List[Dict[str, Any]]


class ImagePreprocessor:
    """Preprocessor that resizes, pads and normalizes images like a test pipeline and data preprocessor of mmdet.

    Args:
        transforms (Sequence[Callable]): Transforms of the pipeline between loading and packing.
        normalization (Normalization): Normalization of the data preprocessor.
        stride (int): The largest stride of the network.
        rect (bool): Whether to pad a batch only to the next multiples of the stride (at least two strides), which is
            faster, instead of to the fixed size of the pipeline's ``LetterResize``. No effect without a
            ``LetterResize`` or if it already pads as little as possible.
    """

    def __init__(self, transforms: Sequence, normalization: Normalization, stride: int, rect: bool) -> None:
        self.normalization = normalization
        self.stride = stride
        index = len(transforms)
        if rect:
            index = next((i for i, transform in enumerate(transforms) if _pads_to_fixed_size(transform)), index)
        self._before = transforms[:index]
        self._letterbox, self._after = transforms[index:index + 1], transforms[index + 1:]

    def __call__(self, images: Sequence[np.ndarray]) -> ImageBatch:
        """Preprocess a batch.

        Args:
            images (Sequence[np.ndarray]): Pixels (H, W, 3), BGR, uint8.

        Returns:
            ImageBatch: The network input and the metadata to map boxes back.
        """
        samples = [_apply(self._before, dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2]))
                   for image in images]
        if self._letterbox:
            shape = self._common_shape([sample['img'].shape[:2] for sample in samples])
            samples = [_apply([*self._letterbox, *self._after], dict(sample, batch_shape=shape)) for sample in samples]
        inputs = _stack([sample['img'] for sample in samples], self.normalization)
        return ImageBatch(inputs, [_meta(sample, inputs.shape[2:]) for sample in samples])

    def _common_shape(self, shapes: Sequence[Tuple[int, int]]) -> Tuple[int, int]:
        """Compute the smallest height and width, multiples of the stride, that fit all letterboxed images."""
        letterbox = self._letterbox[0]
        target = letterbox.scale[::-1]
        sides = [self.stride * 2, self.stride * 2]
        for shape in shapes:
            ratio = min(target[0] / shape[0], target[1] / shape[1])
            ratio = ratio if letterbox.allow_scale_up else min(ratio, 1)
            for axis in range(2):
                # The margin compensates rounding errors of exact multiples
                strides = math.ceil((shape[axis] * ratio - 1e-6) / self.stride)
                sides[axis] = max(sides[axis], strides * self.stride)
        return sides[0], sides[1]


def boxes_in_original(boxes: np.ndarray, meta: Dict[str, Any]) -> np.ndarray:
    """Map boxes from the network input to the original image.

    Args:
        boxes (np.ndarray): x1, y1, x2, y2 in pixels of the input, (N, 4).
        meta (Dict[str, Any]): Metadata of the image, see :class:`ImageBatch`.

    Returns:
        np.ndarray: x1, y1, x2, y2 in pixels of the original image, float32 (N, 4), clipped to it.
    """
    return clip_to_image(to_original_scale(torch.from_numpy(boxes), meta), meta).numpy()


def _pads_to_fixed_size(transform: Any) -> bool:
    return isinstance(transform, LetterResize) and not (transform.use_mini_pad or transform.stretch_only)


def _apply(transforms: Sequence, sample: dict) -> dict:
    for transform in transforms:
        sample = transform(sample)
    return sample


def _meta(sample: dict, shape: Tuple[int, int]) -> Dict[str, Any]:
    meta = {key: sample[key] for key in _META_KEYS if key in sample}
    return dict(dict(scale_factor=(1., 1.)), **meta, batch_input_shape=shape)


def _stack(images: List[np.ndarray], how: Normalization) -> np.ndarray:
    """Normalize and stack images; one NumPy pass per channel is much faster than PyTorch here."""
    height, width = (how.size_divisor * math.ceil(max(image.shape[axis] for image in images) / how.size_divisor)
                     for axis in range(2))
    batch = np.full((len(images), 3, height, width), how.pad_value, np.float32)
    for image, target in zip(images, batch):
        channels = cv2.split(image)
        for channel, plane, mean, std in zip(channels[::-1] if how.to_rgb else channels, target, how.mean, how.std):
            part = plane[:image.shape[0], :image.shape[1]]
            np.multiply(channel, np.float32(1 / std), out=part)
            if mean:
                part -= np.float32(mean / std)
    return batch
