"""NMS inside an ONNX graph finds what MMYOLO's postprocessing finds."""
import numpy as np
import pytest
import torch

from mmseam.export.exporters.nms_graph import append_nms
from mmseam.models.utils.detections import select_detections

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')

TEST_CFG = dict(multi_label=True, score_thr=.3, nms_pre=30000, nms=dict(type='nms', iou_threshold=.5), max_per_img=25)


def run(test_cfg, boxes, scores):
    """Run a graph that is nothing but NMS."""
    model = onnx.parser.parse_model('''<ir_version: 10, opset_import: ["" : 20]>
        pass (float[B, N, 4] b, float[B, N, C] s) => (float[B, N, 4] boxes, float[B, N, C] scores)
        { boxes = Identity (b)  scores = Identity (s) }''')
    model = append_nms(model, test_cfg)
    onnx.checker.check_model(model, full_check=True)
    assert len(model.opset_import) == 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    return session.run(['detections', 'image_ids'], dict(b=boxes, s=scores))


@pytest.fixture
def boxes():
    random = np.random.default_rng(0)
    corners = random.uniform(0, 60, (3, 200, 2))
    return np.concatenate((corners, corners + random.uniform(10, 40, (3, 200, 2))), 2).astype(np.float32)


@pytest.mark.parametrize('classes', [1, 3])
@pytest.mark.parametrize('changes', [
    dict(), dict(multi_label=False), dict(max_per_img=3), dict(score_thr=.9), dict(nms=dict(iou_threshold=.2))
], ids=str)
def test_equals_post_processing(boxes, classes, changes):
    test_cfg = dict(TEST_CFG, **changes)
    scores = np.random.default_rng(1).uniform(0, 1, (3, 200, classes)).astype(np.float32)
    scores[1] = .1  # nothing to find
    detections, image_ids = run(test_cfg, boxes, scores)
    assert image_ids.dtype == np.int64
    nms = dict(test_cfg['nms'], type='nms')
    for image in range(3):
        wanted = select_detections(*map(torch.from_numpy, (boxes[image], scores[image])), dict(test_cfg, nms=nms))
        rows = torch.column_stack([wanted.bboxes, wanted.scores, wanted.labels]).numpy()
        assert len(rows) == 0 if image == 1 else 0 < len(rows) <= test_cfg['max_per_img']
        np.testing.assert_array_equal(detections[image_ids == image], rows)


def test_nothing_found(boxes):
    detections, image_ids = run(TEST_CFG, boxes, np.zeros((3, 200, 2), np.float32))
    assert detections.shape == (0, 6)
    assert image_ids.shape == (0, )


def test_other_kinds_of_nms():
    with pytest.raises(ValueError, match='soft_nms'):
        append_nms(onnx.ModelProto(), dict(TEST_CFG, nms=dict(type='soft_nms', iou_threshold=.5)))
