"""Converted third-party weights give the outputs of an independent implementation."""
import numpy as np
import pytest
import torch
from conversion_cases import build, yolo11_config

from mmseam.convert.conversion import convert

TOLERANCE = 1e-3  # absolute, fp32 on the CPU, as stated with the golden files


@pytest.mark.parametrize(('weights', 'golden', 'size', 'num_classes'), [
    ('yolo11n-seg', 'yolo11n_seg', 'n', 80),
    ('yolo11n-pose', 'yolo11n_pose', 'n', 1),
    ('yolov11m-face', 'yolo11m_face', 'm', 1),
])
def test_features_and_logits(test_data, tmp_path, weights, golden, size, num_classes):
    config = yolo11_config(size, num_classes)
    report = convert(test_data / 'weights' / f'{weights}.pt', tmp_path / 'converted.pth', config)
    assert report.initialized == {}
    model = build(config).eval()
    model.load_state_dict(torch.load(tmp_path / 'converted.pth', weights_only=True)['state_dict'])
    expected = np.load(test_data / 'golden' / f'{golden}_forward.npz')
    with torch.no_grad():
        features = model.extract_feat(torch.from_numpy(expected['input_rgb01']))
    head = model.bbox_head.head_module
    for level, feature in enumerate(features):
        with torch.no_grad():
            box_logits, cls_logits = head.reg_preds[level](feature), head.cls_preds[level](feature)
        for name, output in dict(feat=feature, box_logits=box_logits, cls_logits=cls_logits).items():
            difference = np.abs(output.numpy() - expected[f'{name}_{level}']).max()
            assert difference <= TOLERANCE, (name, level, difference)
