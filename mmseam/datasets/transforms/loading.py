"""Image loading that detects bad files and, in training, replaces them."""
import json
import os
import random
import warnings
from contextlib import suppress
from typing import Optional, Tuple

import cv2
import mmcv
import mmengine.fileio as fileio
import numpy as np
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from mmseam.registry import TRANSFORMS

from .image_cache import build_image_cache, cache_key
from .image_header import BadImageError, check_size, is_image_error
from .jpeg_header import is_truncated_jpeg
from .reduced_jpeg import decode_reduced, reduce_instance

#: Environment variable with the path of the file to which workers append bad images; set by ``BadImageHook``.
BAD_IMAGE_LOG = 'MMSEAM_BAD_IMAGE_LOG'
# Three bytes of the image, and three 16-bit coefficients of a progressive JPEG
_DECODING_BYTES_PER_PIXEL = 9
_DECODING_ERRORS = (cv2.error, OSError, SyntaxError, Image.DecompressionBombError)


# Also registered under the host's name: mmdet's DetInferencer looks for it in the test pipeline.
@TRANSFORMS.register_module(name=['LoadIntactImage', 'LoadImageFromFile'])
class LoadIntactImage(LoadImageFromFile):
    """Load an image; in training, replace a missing, truncated or undecodable one by another sample.

    In training, MMYOLO's datasets and :class:`WIDERFaceDataset` pass themselves as ``results['dataset']`` to the
    pipeline and to the ``pre_transform`` of ``Mosaic`` and the MixUps. This transform then replaces a bad image by a
    random sample of that dataset, with a warning that names the file, so later transforms never see it. In test mode,
    where a missing sample would falsify the result, a bad image is an error.

    Older OpenCV versions decode a truncated JPEG to a partly gray image without an error. Therefore a JPEG counts as
    truncated if no end-of-image marker follows its first start-of-scan marker (extra bytes at the end, which some
    cameras append, are allowed). Damage in the middle of a complete file is not detected. An image of more than
    :data:`~mmseam.datasets.transforms.image_header.MAX_PIXELS` pixels also counts as bad. Only errors of the image
    itself replace a sample; a lack of memory, for example, stops training.

    The following options have an effect in training only.

    - ``reduce_to``: Decode a JPEG at 1/2, 1/4 or 1/8 of its size if its longer side then still has this many pixels.
      The sample becomes that of the smaller image: ``img_shape`` and ``ori_shape`` are its size, and boxes and polygons
      in ``instances`` are scaled, so later transforms need no change. Place this transform before ``LoadAnnotations``.
    - ``cache``: Keep decoded images. ``'ram'`` keeps up to ``cache_gb`` in every worker process. ``'disk'`` keeps files
      in ``cache_dir``, which all workers and later trainings share; a folder in ``/dev/shm`` is shared memory. Images
      are identified by path, modification time and size. Images that do not fit are decoded every time. WIDER FACE
      (train) takes about 30 GB, COCO 108 GB.

    Args:
        max_refetch (int): Maximum number of consecutive bad samples. Defaults to 15.
        reduce_to (int, optional): Minimum length of the longer side in pixels, usually the longer side of the network
            input. Defaults to None, which means full size.
        cache (str, optional): ``'ram'`` or ``'disk'``. Defaults to None, which means no cache.
        cache_gb (float): Gigabytes that each process may add. Defaults to 4.
        cache_dir (str, optional): Folder for ``cache='disk'``. Defaults to None.
        **kwargs: See ``mmcv.transforms.LoadImageFromFile``.

    Raises:
        OSError: The image is bad and cannot be replaced; the message names the file and the reason.
        MemoryError: There is not enough memory to decode the image.
        ValueError: ``reduce_to`` is combined with a ``color_type`` or ``imdecode_backend`` other than MMCV's defaults,
            or ``cache`` is unknown or has no folder.
    """

    def __init__(self,
                 max_refetch: int = 15,
                 reduce_to: Optional[int] = None,
                 cache: Optional[str] = None,
                 cache_gb: float = 4,
                 cache_dir: Optional[str] = None,
                 **kwargs) -> None:
        super().__init__(**kwargs)
        if reduce_to and (self.color_type, self.imdecode_backend) != ('color', 'cv2'):
            raise ValueError("reduce_to decodes with color_type='color' and imdecode_backend='cv2' only")
        self.max_refetch = max_refetch
        self.reduce_to = reduce_to
        self.cache = build_image_cache(cache, cache_gb, cache_dir)

    def transform(self, results: dict) -> Optional[dict]:
        """Load the image of ``results['img_path']``.

        Args:
            results (dict): Result dict with ``img_path`` and, in training, ``dataset``.

        Returns:
            dict | None: The same sample or, for a bad image in training, another one, with ``img``, ``img_shape`` and
            ``ori_shape``. None for a bad image in test mode if ``ignore_empty`` is set.
        """
        dataset = results.get('dataset')
        for _ in range(self.max_refetch + 1):
            path = results['img_path']
            try:
                if dataset is None:
                    return self._fill(results, *self._load(path))
                return self._fill(results, *self._load_for_training(path))
            except OSError as error:
                if not is_image_error(error) or (dataset is None and not self.ignore_empty):
                    raise
                _note_bad_image(path, error)
            if dataset is None:
                return None
            results = dict(dataset.get_data_info(random.randrange(len(dataset))), dataset=dataset)
        raise OSError(f'{self.max_refetch + 1} images in a row could not be read, the last one {path}; check data_root '
                      'and data_prefix of the dataset')

    def _load_for_training(self, path: str) -> Tuple[np.ndarray, int]:
        """Return the image, from the cache or reduced if so configured, and its reduction factor."""
        if self.cache is None:
            return self._load(path, self.reduce_to)
        key = cache_key(path)
        for factor in (1, 2, 4, 8) if self.reduce_to else (1, ):
            image = self.cache.get(self._cached_name(key, factor))
            if image is not None:
                return image, factor
        image, factor = self._load(path, self.reduce_to)
        self.cache.put(self._cached_name(key, factor), image)
        return image, factor

    def _cached_name(self, key: str, factor: int) -> str:
        return f'{key}|{self.color_type}|{self.imdecode_backend}|{self.reduce_to}|{factor}'

    def _load(self, path: str, reduce_to: Optional[int] = None) -> Tuple[np.ndarray, int]:
        content = fileio.get(path, backend_args=self.backend_args)
        if is_truncated_jpeg(content):
            raise BadImageError(f'{path}: the JPEG file is truncated; download it again')
        size = check_size(content, path)
        image, factor = self._decode(content, reduce_to)
        if image is None:
            _check_memory(path, size)
            raise BadImageError(f'{path}: its {len(content)} bytes are not a readable image; download it again')
        return image, factor

    def _decode(self, content: bytes, reduce_to: Optional[int]) -> Tuple[Optional[np.ndarray], int]:
        try:
            image, factor = decode_reduced(content, reduce_to) if reduce_to else (None, 1)
            if image is None:
                image = mmcv.imfrombytes(content, flag=self.color_type, backend=self.imdecode_backend)
            return image, factor
        except _DECODING_ERRORS as error:
            if getattr(error, 'code', None) == cv2.Error.StsNoMem:
                raise MemoryError(f'not enough memory to decode an image: {error}') from error
            return None, 1

    def _fill(self, results: dict, image: np.ndarray, factor: int) -> dict:
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = image.shape[:2]
        results['ori_shape'] = image.shape[:2]
        if factor > 1 and 'instances' in results:
            results['instances'] = [reduce_instance(instance, factor) for instance in results['instances']]
        return results

    def __repr__(self) -> str:
        return (f'{super().__repr__()[:-1]}, max_refetch={self.max_refetch}, reduce_to={self.reduce_to}, '
                f'cache={self.cache})')


def _check_memory(path: str, size: Optional[Tuple[int, int]]) -> None:
    """Raise ``MemoryError`` if that may be why decoding failed; libjpeg does not distinguish it from damage."""
    width, height = size or (0, 0)
    try:
        np.empty(width * height * _DECODING_BYTES_PER_PIXEL, np.uint8)
    except MemoryError as error:
        raise MemoryError(f'{path}: not enough memory to decode {width * height:,} pixels') from error


def _note_bad_image(path: str, error: OSError) -> None:
    warnings.warn(f'bad image, another sample is used: {error}', stacklevel=2)
    log_file = os.environ.get(BAD_IMAGE_LOG)
    if log_file:
        # One short line in append mode, because workers may write at the same time. The file exists until training
        # ends; workers that prefetch beyond that must not create a new one.
        with suppress(FileNotFoundError), open(log_file, 'a', encoding='utf-8', opener=_open_existing) as file:
            file.write(json.dumps([path, str(error)]) + '\n')  # ASCII, whatever the file name contains


def _open_existing(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_CREAT)
