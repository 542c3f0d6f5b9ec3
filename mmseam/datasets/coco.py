"""COCO's annotations for MMYOLO."""
from typing import List

from mmyolo.datasets import YOLOv5CocoDataset

from mmseam.registry import DATASETS
from mmseam.utils.config import ConfigError


def require_images(images: List[dict], ann_file: str) -> List[dict]:
    """Pass on what is left of a data set after its filters.

    Args:
        images (List[dict]): The ``data_info`` of each image.
        ann_file (str): The annotation file, for the message.

    Returns:
        List[dict]: The same.

    Raises:
        ConfigError: There are none, at which MMEngine would fail without saying why.
    """
    if not images:
        raise ConfigError(f'{ann_file}: no image is left; the file names none, or filter_cfg of the data set leaves '
                          'out all of them')
    return images


@DATASETS.register_module()
class YOLOCocoDataset(YOLOv5CocoDataset):
    """MMYOLO's COCO data set, which says so when no image is left of it.

    Args:
        *args, **kwargs: As of ``mmyolo.YOLOv5CocoDataset``.

    Raises:
        ConfigError: The filters leave no image.
    """

    def filter_data(self) -> List[dict]:
        """Leave out images, in training, as ``filter_cfg`` says.

        Returns:
            List[dict]: The remaining images.
        """
        return require_images(super().filter_data(), self.ann_file)
