"""The example of docs/deployment.md, with NumPy, OpenCV and onnxruntime only, finds what `load_detector` does."""
import re

import numpy as np
import pytest
import torch
from small_detector import SmallDetector, spread

from mmseam.apis import load_detector
from mmseam.export.detector_export import export_detector

# Height and width: larger and smaller than the input, odd, and exact multiples of it
SIZES = [(96, 128), (375, 500), (500, 333), (40, 90), (161, 77), (720, 1280), (160, 120), (101, 160), (333, 332),
         (64, 320)]


@pytest.fixture(scope='module')
def model(tmp_path_factory, metadata):
    pytest.importorskip('onnxruntime')
    path = tmp_path_factory.mktemp('page') / 'model.onnx'
    torch.manual_seed(0)
    export_detector(spread(SmallDetector()), metadata(input_size=(160, 160), has_nms=True), path)
    return path


def test_example_equals_load_detector(repo, model, monkeypatch):
    text = (repo / 'docs/deployment.md').read_text(encoding='utf-8')
    code, = (block for block in re.findall(r'```python\n(.*?)```', text, flags=re.S) if 'onnxruntime' in block)
    assert len(code.strip().splitlines()) <= 30
    assert not re.search(r'import (torch|mm\w+)|from (torch|mm\w+)', code)
    monkeypatch.chdir(model.parent)
    example = {}
    exec(code, example)
    detector = load_detector(model)
    differences = []
    for size in SIZES:
        image = np.random.default_rng(size).integers(0, 256, (*size, 3), dtype=np.uint8)
        expected, = detector([image], score_thr=0.3)
        found = example['detect'](image, score_thr=0.3)
        assert len(found) == len(expected) > 0
        np.testing.assert_array_equal(found[:, 5], expected.labels)
        np.testing.assert_allclose(found[:, 4], expected.scores, atol=1e-6, rtol=0)
        differences.append(np.abs(found[:, :4] - expected.boxes).max())
    print(f'largest difference: {max(differences):.2g} pixels')
    assert max(differences) <= 1e-3
