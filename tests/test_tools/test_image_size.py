"""``--imgsz`` and a config that is written by hand for that size find the same faces, with a trained detector."""
import pickle
import re
import sys

import pytest

from mmseam.cli import main
from mmseam.datasets.toy_faces import make_toy_faces
from mmseam.datasets.wider_face.to_coco import convert_wider_face_split
from mmseam.utils.config import find_config

NAME = 'yolo11_n_multiseam-lite_faces'
WITH_SETTINGS = """
_base_ = 'mmseam::faces/{name}.py'
data_root = '{root}'
classes = ('face', )
val_ann_file = 'val.json'
val_data_prefix = 'WIDER_val/images/'
test_dataloader = dict(num_workers=0, persistent_workers=False)
"""
BY_HAND = """
_base_ = 'mmseam::faces/{name}.py'
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = test_pipeline[2].scale = (320, 320)
tta_pipeline = _base_.tta_pipeline
for resize, side in zip(tta_pipeline[1].transforms[1], (320, 480, 640)):
    resize.transforms[0].scale = resize.transforms[1].scale = (side, side)
del resize, side
dataset = dict(
    data_root='{root}', ann_file='val.json', data_prefix=dict(img='WIDER_val/images/'),
    metainfo=dict(classes=('face', )), pipeline=test_pipeline)
test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dataset)
test_evaluator = dict(ann_file='{root}/val.json')
"""


@pytest.fixture(scope='module')
def faces(tmp_path_factory):
    """Draw faces, and convert their annotations to COCO JSON."""
    root = tmp_path_factory.mktemp('drawn') / 'faces'
    make_toy_faces(str(root), 1, 6, 256, 5, 1)
    convert_wider_face_split(root, 'val', root / 'val.json')
    return root


@pytest.mark.parametrize('options', [[], ['--tta']], ids=['plain', 'tta'])
def test_image_size_has_the_results_of_a_config_written_by_hand(faces, tmp_path, options, capfd, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['mmseam'])
    found = {}
    for text, more in ((WITH_SETTINGS, ['--imgsz', '320']), (BY_HAND, [])):
        config, out = tmp_path / 'config.py', tmp_path / 'out.pkl'
        config.write_text(text.format(name=NAME, root=faces))
        main(['test', str(config), str(find_config(NAME).with_suffix('.pth')), '--work-dir', str(tmp_path / 'work'),
              '--out', str(out), *more, *options])
        precision = float(re.search(r'coco/bbox_mAP: ([\d.]+)', capfd.readouterr().out)[1])
        images = pickle.loads(out.read_bytes())
        boxes = [box for image in images for box in image['pred_instances']['bboxes'].tolist()]
        found[text] = precision, len(images), boxes
    print(found[BY_HAND][0])
    assert found[WITH_SETTINGS] == found[BY_HAND]
    assert found[BY_HAND][0] > 0.1 and found[BY_HAND][1] == 6
