"""COCO dataset for MMYOLO detectors."""
import json
import os
from pathlib import Path
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
        raise ConfigError(f'{ann_file}: no images are left; the file lists none, or filter_cfg of the dataset '
                          'excludes all of them')
    return images


@DATASETS.register_module()
class YOLOCocoDataset(YOLOv5CocoDataset):
    """MMYOLO's COCO dataset with clear errors for a wrong image folder and if no image is left.

    Args:
        *args, **kwargs: See ``mmyolo.YOLOv5CocoDataset``.

    Raises:
        ConfigError: The annotation file is no COCO JSON, the images are in another folder than ``data_prefix``, or the
            filters leave no image.
    """

    def full_init(self) -> None:
        """Load the annotations."""
        try:
            super().full_init()
        except (json.JSONDecodeError, KeyError) as error:
            raise ConfigError(f'{self.ann_file}: not COCO JSON ({type(error).__name__}: {error}); write it again '
                              'with images, annotations and categories') from error

    def filter_data(self) -> List[dict]:
        """Filter the training images according to ``filter_cfg``.

        Returns:
            List[dict]: The remaining images.
        """
        if self.data_list:
            self._check_folder(self.data_list[0]['img_path'])
        return require_images(super().filter_data(), self.ann_file)

    def _check_folder(self, path: str) -> None:
        """Raise an error if the first image is not at its path, but in another folder of the data."""
        if '://' in path or os.path.isfile(path):
            return
        name = os.path.relpath(path, self.data_prefix.get('img') or '.')
        root = Path(self.data_root or '.')
        folders = [Path(self.ann_file).parent, root, *root.glob('*/'), *root.glob('*/*/')]
        found = next((folder for folder in folders if (folder / name).is_file()), None)
        if found:
            key, prefix = 'val' if self.test_mode else 'train', Path(os.path.relpath(found, root)).as_posix()
            raise ConfigError(f'{self.ann_file}: its first image {name} is not in {os.path.dirname(path)}, but in '
                              f"{found}; set {key}_data_prefix = '{prefix}/'")
