"""NMS and soft-NMS of the stand-in for mmcv._ext against plain references."""
import sys
import time
import types

import mmcv
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.ops import batched_nms, nms, soft_nms

from mmseam.compat.mmcv_ops import nms as nms_module
from mmseam.compat.mmcv_ops.nms import nms as nms_op
from mmseam.compat.mmcv_ops.torchvision_ops import torchvision_ops

pytestmark = pytest.mark.usefixtures('kernel')


def plain_iou(a, b, offset):
    """IoU in float32, step by step as mmcv's kernel computes it."""
    f = np.float32
    with np.errstate(all='ignore'):
        area_a = (a[2] - a[0] + f(offset)) * (a[3] - a[1] + f(offset))
        area_b = (b[2] - b[0] + f(offset)) * (b[3] - b[1] + f(offset))
        width = max(f(0), min(a[2], b[2]) - max(a[0], b[0]) + f(offset))
        height = max(f(0), min(a[3], b[3]) - max(a[1], b[1]) + f(offset))
        return width * height / (area_a + area_b - width * height)


def plain_nms(boxes, scores, threshold, offset):
    """Apply the definition: by descending score, each remaining box suppresses all others above the threshold."""
    boxes, threshold = boxes.numpy(), np.float32(threshold)
    waiting = np.argsort(-scores.numpy(), kind='stable').tolist()
    kept = []
    while waiting:
        best = waiting.pop(0)
        kept.append(best)
        waiting = [other for other in waiting if not plain_iou(boxes[best], boxes[other], offset) > threshold]
    return kept


def plain_soft_nms(boxes, scores, threshold, sigma, min_score, method, offset):
    """Apply the algorithm of the paper: take the best, lower the others, drop those that fall below the minimum."""
    boxes, left, chosen = boxes.numpy(), dict(enumerate(scores.tolist())), []
    while left:
        best = max(left, key=left.get)
        chosen.append((best, left.pop(best)))
        for other in list(left):
            iou = float(plain_iou(boxes[best], boxes[other], offset))
            if method == 'gaussian':
                left[other] *= np.exp(-iou**2 / sigma)
            elif iou >= np.float32(threshold):
                left[other] *= 1 - iou if method == 'linear' else 0
            if left[other] < min_score:
                del left[other]
    return chosen


def random_boxes(count, seed, extent=100., size=40.):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * extent
    return (torch.cat([corner, corner + 1 + torch.rand(count, 2, generator=generator) * size], 1),
            torch.rand(count, generator=generator))


# Few distinct numbers: many duplicates, equal scores, boxes without area and inverted ones, IoUs equal to a threshold.
coordinates = st.integers(0, 6).map(float) | st.sampled_from([-3.5, 0.3, 1e4 + 0.1, 1e4 + 2])
scored_boxes = st.lists(
    st.tuples(*[coordinates] * 4, st.sampled_from([-2., -0.5, 0., 0.25, 0.5, 1., float('-inf')])), max_size=14)


@settings(deadline=None, max_examples=200)
@given(scored_boxes, st.sampled_from([0., 0.1, 1 / 3, 0.35, 0.5, 0.6, 0.7, 1.]), st.sampled_from([0, 1]))
def test_nms_equals_the_definition_on_awkward_boxes(rows, threshold, offset):
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)
    boxes, scores = table[:, :4], table[:, 4]
    kept = nms_op(boxes, scores, iou_threshold=threshold, offset=offset)
    assert kept.dtype == torch.int64
    assert kept.tolist() == plain_nms(boxes, scores, threshold, offset)


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.05, 0.3, 0.65, 0.9])
def test_nms_equals_the_definition_on_random_boxes(threshold, offset):
    for seed in range(4):
        boxes, scores = random_boxes(150, seed)
        assert nms_op(boxes, scores, threshold, offset).tolist() == plain_nms(boxes, scores, threshold, offset)


@pytest.mark.parametrize(('part', 'whole', 'threshold'), [(1, 10, .1), (7, 20, .35), (2, 5, .4), (3, 5, .6),
                                                          (13, 20, .65)])
def test_an_iou_equal_to_the_threshold_does_not_suppress(part, whole, threshold):
    boxes = torch.tensor([[0, 0, whole, 1], [0, 0, part, 1]], dtype=torch.float32)
    scores = torch.tensor([.9, .8])
    assert len(nms_op(boxes, scores, threshold, 0)) == 2
    assert len(nms_op(boxes, scores, threshold - 1e-4, 0)) == 1


def test_offset_counts_the_last_pixel():
    boxes = torch.tensor([[0, 0, 9, 9], [0, 0, 9, 4]], dtype=torch.float32)  # IoU 4/9 without offset, 1/2 with it
    scores = torch.tensor([.9, .8])
    assert nms_op(boxes, scores, .45, 0).tolist() == [0, 1]
    assert nms_op(boxes, scores, .45, 1).tolist() == [0]


def test_nms_without_boxes():
    kept = nms_op(torch.zeros(0, 4), torch.zeros(0), .5, 0)
    assert kept.shape == (0, ) and kept.dtype == torch.int64


@pytest.mark.parametrize('size', [20., 60., 200.])
def test_nms_of_30000_boxes_is_quick(size, monkeypatch):
    monkeypatch.setattr(nms_module, 'torchvision_ops', lambda device_type: None)
    boxes, scores = random_boxes(30000, 0, extent=1000., size=size)
    start = time.process_time()
    kept = nms_op(boxes, scores, .65, 0)
    # 1.0 to 1.5 s of CPU time; the bound leaves room for slow machines and fails if all pairs are compared (60 s).
    assert time.process_time() - start < 15
    assert len(kept) > 10000 and (scores[kept].diff() <= 0).all()


def test_mmcv_nms_score_threshold_and_max_num():
    boxes, scores = random_boxes(60, 1)
    expected = [index for index in plain_nms(boxes, scores, .5, 0) if scores[index] > .4][:5]
    dets, kept = nms(boxes, scores, iou_threshold=.5, score_threshold=.4, max_num=5)
    assert kept.tolist() == expected
    assert torch.equal(dets, torch.cat([boxes, scores[:, None]], 1)[expected])


def test_mmcv_nms_takes_numpy():
    boxes, scores = random_boxes(30, 2)
    dets, kept = nms(boxes.numpy(), scores.numpy(), .5)
    assert isinstance(dets, np.ndarray) and kept.tolist() == plain_nms(boxes, scores, .5, 0)


@pytest.mark.parametrize('split_thr', [10000, 1], ids=['at once', 'class by class'])
def test_mmcv_batched_nms_keeps_classes_apart(split_thr):
    boxes, scores = random_boxes(90, 3)
    labels = torch.arange(90) % 3
    expected = []
    for label in range(3):
        members = (labels == label).nonzero()[:, 0]
        expected += [members[index].item() for index in plain_nms(boxes[members], scores[members], .5, 0)]
    dets, kept = batched_nms(boxes, scores, labels, dict(type='nms', iou_threshold=.5, split_thr=split_thr))
    assert kept.tolist() == sorted(expected, key=lambda index: -scores[index])
    assert torch.equal(dets[:, :4], boxes[kept])


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms_equals_the_paper(method, offset):
    for seed in range(4):
        boxes, scores = random_boxes(40, seed)
        expected = plain_soft_nms(boxes, scores, .3, .5, .05, method, offset)
        dets, kept = soft_nms(boxes, scores, .3, .5, .05, method, offset)
        assert kept.tolist() == [index for index, _ in expected]
        assert torch.equal(dets[:, :4], boxes[kept])
        np.testing.assert_allclose(dets[:, 4], [score for _, score in expected], rtol=1e-5)
        assert len(kept) < 40  # or nothing was dropped and the test shows little


def test_soft_nms_example_of_mmcv():
    boxes = np.array([[4., 3., 5., 3.], [4., 3., 5., 4.], [3., 1., 3., 1.], [3., 1., 3., 1.], [3., 1., 3., 1.],
                      [3., 1., 3., 1.]], dtype=np.float32)
    scores = np.array([0.9, 0.9, 0.5, 0.5, 0.4, 0.0], dtype=np.float32)
    dets, kept = soft_nms(boxes, scores, 0.6, sigma=0.5)
    assert kept.tolist() == [0, 1, 2, 3, 4]
    assert dets[:, 4].tolist() == scores[:5].tolist()


def test_soft_nms_breaks_ties_as_the_kernel_does():
    """Box 4 takes the place of the lost box 1, so it comes before its equals 2 and 3."""
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]]).float()
    scores = torch.tensor([.9, .8, .5, .5, .5])
    assert soft_nms(boxes, scores, .3, method='naive')[1].tolist() == [0, 4, 2, 3]


def test_soft_nms_without_boxes():
    dets, kept = soft_nms(torch.zeros(0, 4), torch.zeros(0))
    assert dets.shape == (0, 5) and kept.shape == (0, )


def test_torchvision_serves_where_it_loads(monkeypatch):
    """A fake torchvision sees boxes whose far corner holds the offset, and mmcv's float32 threshold."""
    seen = {}

    def fake_nms(boxes, scores, threshold):
        seen.update(boxes=boxes, threshold=threshold)
        return torch.tensor([0])

    monkeypatch.setattr(nms_module, 'torchvision_ops', lambda device_type: types.SimpleNamespace(nms=fake_nms))
    assert nms_op(torch.tensor([[1., 2., 3., 4.]]), torch.ones(1), .6, 1).tolist() == [0]
    assert seen['boxes'].tolist() == [[1, 2, 4, 5]]
    assert seen['threshold'] == float(np.float32(.6))


def test_torchvision_built_for_another_torch_is_passed_over(monkeypatch, tmp_path):
    (tmp_path / 'torchvision').mkdir()
    (tmp_path / 'torchvision' / '__init__.py').write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')\n")
    for name in [name for name in sys.modules if name.split('.')[0] == 'torchvision']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    torchvision_ops.cache_clear()
    try:
        assert torchvision_ops('cpu') is None
    finally:
        torchvision_ops.cache_clear()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.skipif(getattr(mmcv._ext, 'nms', None) is not nms_op, reason='a compiled mmcv is installed')
def test_nms_on_the_gpu():
    boxes, scores = random_boxes(150, 5)
    kept = nms_op(boxes.cuda(), scores.cuda(), .5, 0)
    assert kept.is_cuda and kept.tolist() == plain_nms(boxes, scores, .5, 0)
