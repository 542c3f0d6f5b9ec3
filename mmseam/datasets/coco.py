"""COCO dataset for MMYOLO detectors."""
from typing import List

from mmyolo.datasets import YOLOv5CocoDataset

from mmseam.registry import DATASETS
from mmseam.utils.config import ConfigError


def require_images(images: List[dict], ann_file: str) -> List[dict]:
    """Check that the filters of a dataset leave at least one image.

    Args:
        images (List[dict]): The ``data_info`` of each remaining image.
        ann_file (str): Annotation file, for the error message.

    Returns:
        List[dict]: ``images``, unchanged.

    Raises:
        ConfigError: No image is left. MMEngine would fail without giving the reason.
    """
    if not images:
        raise ConfigError(f'{ann_file}: no image is left; the file names none, or filter_cfg of the dataset leaves '
                          'out all of them')
    return images


@DATASETS.register_module()
class YOLOCocoDataset(YOLOv5CocoDataset):
    """MMYOLO's COCO dataset with a clear error if no image is left.

    Args:
        *args, **kwargs: See ``mmyolo.YOLOv5CocoDataset``.

    Raises:
        ConfigError: The filters leave no image.
    """

    def filter_data(self) -> List[dict]:
        """Filter the training images according to ``filter_cfg``.

        Returns:
            List[dict]: The remaining images.
        """
        return require_images(super().filter_data(), self.ann_file)
