"""A wrong folder of COCO images is an error that names the right one."""
import shutil

import pytest
from coco_files import coco_box, write_coco

from mmseam.registry import DATASETS
from mmseam.utils.config import ConfigError


def build(folder, **options):
    return DATASETS.build(dict(type='mmseam.YOLOCocoDataset', data_root=str(folder), ann_file='train.json', pipeline=[],
                               metainfo=dict(classes=('face', )), data_prefix=dict(img='images/'), **options))


def test_images_in_another_folder_are_found(tmp_path):
    write_coco(tmp_path, {'a.jpg': [coco_box((1, 1, 20, 20))]})
    assert len(build(tmp_path)) == 1
    shutil.move(tmp_path / 'images', tmp_path / 'train' / 'pictures')
    with pytest.raises(ConfigError, match="train.json: its first image a.jpg is not in .*images, but in .*pictures; set"
                                          " train_data_prefix = 'train/pictures/'"):
        build(tmp_path)
    with pytest.raises(ConfigError, match="set val_data_prefix = 'train/pictures/'"):
        build(tmp_path, test_mode=True)


@pytest.mark.parametrize('text, cause', [
    ('{"images": [}', 'JSONDecodeError: Expecting value'),
    ('{"images": [{"id": 0}], "categories": [{}]}', "KeyError: '")],
    ids=['json', 'keys'])
def test_a_damaged_file_is_named(tmp_path, text, cause):
    (tmp_path / 'train.json').write_text(text)
    with pytest.raises(ConfigError, match=rf'train.json: not COCO JSON \({cause}'):
        build(tmp_path)
