"""Image loading that notices damaged files and, in training, goes on without them."""
import os
import random
import warnings
from typing import Optional

import cv2
import mmcv
import mmengine.fileio as fileio
import numpy as np
from mmcv.transforms import LoadImageFromFile

from mmseam.registry import TRANSFORMS

#: Environment variable that names the file in which worker processes note bad images; set by ``BadImageHook``.
BAD_IMAGE_LOG = 'MMSEAM_BAD_IMAGE_LOG'
_SOI, _EOI, _SOS = b'\xff\xd8', b'\xff\xd9', 0xDA


# Under the host's name too: mmdet's DetInferencer looks for that very word in the test pipeline.
@TRANSFORMS.register_module(name=['LoadIntactImage', 'LoadImageFromFile'])
class LoadIntactImage(LoadImageFromFile):
    """Load an image; a missing, truncated or undecodable one is named, and in training replaced by another sample.

    In training, MMYOLO's datasets and :class:`WIDERFaceDataset` pass themselves along as ``results['dataset']``, to
    the pipeline as well as to the ``pre_transform`` of ``Mosaic`` and the MixUps. A bad image is then replaced, here,
    by a random other sample of that dataset, with a warning that names the file: none of the later transforms ever
    sees it. In test mode, where a missing sample would falsify the result, it is an error.

    Older OpenCV versions decode a truncated JPEG to a partly grey picture without an error. So a JPEG counts as
    truncated when no end-of-image marker follows its first start-of-scan marker (bytes behind the end, as some cameras
    append, do no harm). Damage in the middle of a complete file is not noticed.

    Args:
        max_refetch (int): How many samples in a row may be bad before that is an error. Defaults to 15.
        **kwargs: As of ``mmcv.transforms.LoadImageFromFile``.

    Raises:
        OSError: The image is bad and cannot be replaced; the message names the file and the reason.
    """

    def __init__(self, max_refetch: int = 15, **kwargs) -> None:
        super().__init__(**kwargs)
        self.max_refetch = max_refetch

    def transform(self, results: dict) -> Optional[dict]:
        """Load the image of ``results['img_path']``.

        Args:
            results (dict): With ``img_path``, in training ``dataset``.

        Returns:
            dict | None: The same sample or, for a bad image in training, another one, with ``img``, ``img_shape`` and
            ``ori_shape``. None for a bad image without replacement when ``ignore_empty`` is set.
        """
        dataset = results.get('dataset')
        for _ in range(self.max_refetch + 1):
            path = results['img_path']
            try:
                return self._fill(results, self._load(path))
            except OSError as error:
                if dataset is None and not self.ignore_empty:
                    raise
                _note_bad_image(path, error)
            if dataset is None:
                return None
            results = dict(dataset.get_data_info(random.randrange(len(dataset))), dataset=dataset)
        raise OSError(f'{self.max_refetch + 1} images in a row could not be read, the last one {path}; check data_root '
                      'and data_prefix of the dataset')

    def _load(self, path: str) -> np.ndarray:
        content = fileio.get(path, backend_args=self.backend_args)
        if _is_truncated_jpeg(content):
            raise OSError(f'{path}: the JPEG file is truncated; fetch it again')
        try:
            image = mmcv.imfrombytes(content, flag=self.color_type, backend=self.imdecode_backend)
        except cv2.error:
            image = None
        if image is None:
            raise OSError(f'{path}: {len(content)} bytes that are no readable image; fetch the file again')
        return image

    def _fill(self, results: dict, image: np.ndarray) -> dict:
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = image.shape[:2]
        results['ori_shape'] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, max_refetch={self.max_refetch})'


def _is_truncated_jpeg(content: bytes) -> bool:
    """Whether a JPEG ends within its header or lacks the end-of-image marker behind its first start of scan.

    The header is walked segment by segment, because an embedded thumbnail has an end marker of its own. In the scan
    the marker cannot occur by chance: there a data byte 0xFF is always followed by 0x00 (ITU-T T.81, B.1.1.5).
    """
    if not content.startswith(_SOI):
        return False
    position = len(_SOI)
    while position + 4 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == _SOS:
            return content.find(_EOI, position) < 0
        # 0xFF may be repeated as filling before a marker.
        is_filling = marker == 0xFF
        position += 1 if is_filling else 2 + int.from_bytes(content[position + 2:position + 4], 'big')
    return True


def _note_bad_image(path: str, error: OSError) -> None:
    warnings.warn(f'bad image, another sample is used: {error}', stacklevel=2)
    log_file = os.environ.get(BAD_IMAGE_LOG)
    if log_file:
        # One short line in append mode: workers may write at the same time.
        with open(log_file, 'a', encoding='utf-8') as file:
            file.write(f'{path}\t{error}\n')
