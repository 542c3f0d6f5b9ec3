"""The example of docs/deployment.md, with NumPy, OpenCV and onnxruntime only, finds what `load_detector` does."""
import re

import numpy as np
import pytest
from exported_models import write_onnx_of_pixels

from mmseam.apis import load_detector

# Height and width: larger and smaller than the input, odd, and exact multiples of it
SIZES = [(96, 128), (375, 500), (500, 333), (40, 90), (161, 77), (720, 1280), (160, 120), (101, 160), (333, 332),
         (64, 320)]


def test_example_equals_load_detector(repo, tmp_path, monkeypatch):
    """The boxes of the model depend on the colors of all pixels, and so on resizing, padding and channel order."""
    pytest.importorskip('onnxruntime')
    text = (repo / 'docs/deployment.md').read_text(encoding='utf-8')
    code, = (block for block in re.findall(r'```python\n(.*?)```', text, flags=re.S) if 'onnxruntime' in block)
    assert len(code.strip().splitlines()) <= 30
    assert not re.search(r'import (torch|mm\w+)|from (torch|mm\w+)', code)
    monkeypatch.chdir(tmp_path)
    detector = load_detector(write_onnx_of_pixels(tmp_path / 'model.onnx', 160))
    example = {}
    exec(code, example)
    differences = []
    for size in SIZES:
        image = np.random.default_rng(size).integers(0, 256, (*size, 3), dtype=np.uint8)
        expected, = detector([image], score_thr=0.3)
        found = example['detect'](image, score_thr=0.3)
        found, expected = found[np.argsort(-found[:, 4])], expected[np.argsort(-expected.scores)]
        assert len(found) == len(expected) > 0
        np.testing.assert_array_equal(found[:, 5], expected.labels)
        np.testing.assert_allclose(found[:, 4], expected.scores, atol=1e-6, rtol=0)
        differences.append(np.abs(found[:, :4] - expected.boxes).max())
    print(f'largest difference: {max(differences):.2g} pixels')
    assert max(differences) <= 1e-3
