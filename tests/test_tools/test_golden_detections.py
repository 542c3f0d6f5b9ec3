"""Converted weights on real images give what an independent implementation gave.

How that one prepares images was found by measuring, and differs from the configs here: it shrinks bilinearly (MMYOLO:
by area) and pads each image only to whole strides (MMYOLO: to the square); boxes carry one class each.
"""
import json
from collections import defaultdict

import cv2
import numpy as np
import pytest
from real_detection import convert, run_test, write_config

from mmseam.evaluation.functional import image_key, read_detections

pytestmark = pytest.mark.slow
REFERENCE_PIPELINE = """
letterbox = dict(
    type='LetterResize', scale=(640, 640), allow_scale_up=True, use_mini_pad=True, pad_val=dict(img=114))
test_dataloader['dataset']['pipeline'] = [_base_.test_pipeline[0], letterbox, *_base_.test_pipeline[-2:]]
"""


def read_golden(path):
    """Rows x1, y1, x2, y2, score by image."""
    rows = defaultdict(list)
    for item in json.loads(path.read_text()):
        rows[image_key(item['file_name'])].append([*item['bbox_xyxy'], item['score']])
    return {key: np.array(image) for key, image in rows.items()}


def in_reference_scale(boxes, size):
    """Boxes mapped back to the image as the reference does.

    The sides of a shrunk image are whole numbers, 480.6 pixels become 481. MMYOLO maps back by the real size and
    padding; the reference by those before rounding, which moves its boxes by up to two pixels.
    """
    sides = np.array(size)
    factor = 640 / max(size)
    exact, real = sides * factor, np.round(sides * factor)
    padded = np.ceil(real / 32) * 32
    padding, exact_padding = (np.round((padded - inner) / 2 - .1) for inner in (real, exact))
    moved = (boxes * np.tile(real / sides, 2) + np.tile(padding - exact_padding, 2)) / factor
    return np.clip(moved, 0, np.tile(sides, 2))


def match(golden, found):
    """Match the golden rows of an image, best score first, to the nearest of the remaining rows."""
    free = list(range(len(found)))
    for row in golden[np.argsort(-golden[:, 4], kind='stable')]:
        distance = np.abs(found[free, :4] - row[:4]).max(axis=1)
        yield distance.min(), abs(found[free.pop(int(distance.argmin())), 4] - row[4])


def test_faces_of_28_images(test_data, tmp_path):
    data = test_data / 'wider_face'
    checkpoint = convert(test_data / 'weights' / 'yolov11m-face.pt', tmp_path)
    config = write_config(tmp_path / 'faces.py', 'yolo11/yolo11_m_syncbn_fast_8xb16-250e_widerface.py', data,
                          "missing='skip'", REFERENCE_PIPELINE)
    run_test(config, checkpoint, tmp_path / 'work', '--out', tmp_path / 'out.pkl')
    detections = read_detections(tmp_path / 'out.pkl')
    golden = read_golden(test_data / 'golden' / 'yolo11m_face_wider28_detections.json')
    assert {key: len(rows) for key, rows in detections.items()} == {key: len(rows) for key, rows in golden.items()}
    differences = []
    for key, rows in golden.items():
        height, width = cv2.imread(str(data / 'WIDER_val' / 'images' / f'{key}.jpg')).shape[:2]
        found = detections[key].copy()
        found[:, 2:4] += found[:, :2]
        found[:, :4] = in_reference_scale(found[:, :4], (width, height))
        differences += match(rows, found)
    assert len(differences) == 1050
    box, score = np.max(differences, axis=0)
    assert box < .5
    assert score < 1e-3


@pytest.fixture(scope='module')
def checkpoint(test_data, tmp_path_factory):
    return convert(test_data / 'weights' / 'yolo11n-seg.pt', tmp_path_factory.mktemp('coco'))


@pytest.mark.parametrize('more, names', [
    ('', ['AP']),
    (REFERENCE_PIPELINE + 'model = dict(test_cfg=dict(multi_label=False))', ['AP', 'AP50', 'AP75']),
], ids=['shipped config', 'settings of the reference'])
def test_coco_ap(test_data, tmp_path, checkpoint, more, names):
    data = test_data / 'coco_val128'
    dataset = "ann_file='annotations.json', data_prefix=dict(img='images/')"
    evaluator = "\ntest_evaluator = dict(ann_file=data_root + 'annotations.json')\n"
    config = write_config(tmp_path / 'coco.py', 'yolo11/yolo11_n_syncbn_fast_8xb16-500e_coco.py', data, dataset,
                          evaluator + more)
    metrics = run_test(config, checkpoint, tmp_path / 'work')
    reference = json.loads((data / 'reference_yolo11n_seg.json').read_text())
    keys = dict(AP='coco/bbox_mAP', AP50='coco/bbox_mAP_50', AP75='coco/bbox_mAP_75')
    for name in names:
        assert metrics[keys[name]] == pytest.approx(reference[name], abs=.0015), name
