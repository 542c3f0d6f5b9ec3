"""tools/test.py on an exported file, in a process of its own."""
import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from exported_models import write_onnx
from real_detection import run
from tiny_training import NUM_IMAGES, write_tiny_training

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

ROOT = Path(__file__).resolve().parent.parent.parent
BASE = ROOT / 'configs/yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py'


@pytest.fixture(scope='module')
def tested(tmp_path_factory):
    """Work folder of a test in batches of three, its detections and what it printed."""
    folder = tmp_path_factory.mktemp('tiny')
    config, model = write_tiny_training(folder, BASE), write_onnx(folder / 'tiny.onnx')
    text = run(ROOT / 'tools' / 'test.py', config, model, '--work-dir', folder / 'work', '--benchmark', '--out',
               folder / 'out.pkl', '--cfg-options', 'test_dataloader.batch_size=3')
    return folder, pickle.loads((folder / 'out.pkl').read_bytes()), text


def mean_scores(path: str):
    """Means of red, green and blue of a 120×80 image shrunk to 64×43 in a gray square, over 255."""
    blue, green, red = cv2.imread(path).reshape(-1, 3).mean(0)
    return [(43 * value + 21 * 114) / 64 / 255 for value in (red, green, blue)]


def test_detections(tested):
    _, detections, _ = tested
    assert len(detections) == NUM_IMAGES
    for image in detections:
        found = image['pred_instances']
        red, green, blue = mean_scores(image['img_path'])
        boxes = {round(float(score), 6): box for score, box in zip(found['scores'], found['bboxes'].numpy())}
        assert sorted(boxes) == pytest.approx(sorted([max(red, green), blue]), abs=.005)
        # The boxes' input pixels less the padding (10 or 11 above), over 64/120, within the image of 120×80
        left = 8 if red > green else 9
        first, last = sorted(boxes.values(), key=lambda box: box[0])
        np.testing.assert_allclose(first, [left * 1.875, 0, (left + 16) * 1.875, (left + 16 - 10) * 1.875], atol=2)
        np.testing.assert_allclose(last, [75, 37.5, 112.5, 75], atol=2)
        assert found['labels'].tolist() == [0, 0]


def test_benchmark_of_an_exported_file(tested):
    folder, _, text = tested
    report = json.loads((folder / 'work' / 'benchmark.json').read_text())
    assert report['checkpoint'] == str(folder / 'tiny.onnx')
    assert 'coco/bbox_mAP_50' in report['metrics']
    assert 'score_thr 0.01' in report['protocol']['text']
    assert report['parameters'] is report['gflops'] is None
    assert 0 < report['latency_ms']['forward']['median'] < report['latency_ms']['total']['median']
    assert 'images per second' in text
