"""The head that decodes only what it keeps, against mmyolo's YOLOv8Head."""
import copy
from itertools import product

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from mmyolo.models.dense_heads import YOLOv8Head

from mmseam.models import YOLO11Head
from mmseam.registry import MODELS

CHANNELS = [8, 16, 32]
SIZES = [(12, 16), (6, 8), (3, 4)]
CFG = dict(multi_label=True, score_thr=0.05, nms_pre=30000, nms=dict(type='nms', iou_threshold=0.6), max_per_img=60)
METAS = [
    dict(ori_shape=(150, 220), scale_factor=(0.58, 0.6), pad_param=np.array([3., 3., 1., 2.])),
    dict(ori_shape=(80, 120), scale_factor=(1., 1.)),
]


def build(head_class, num_classes=3, module='mmseam.YOLO11HeadModule', reg_max=16, **cfg):
    """Build a head in evaluation mode, with the same weights for every class of head."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmyolo'):
        head = head_class(
            dict(type=module, num_classes=num_classes, in_channels=CHANNELS, reg_max=reg_max),
            train_cfg=ConfigDict(assigner=dict(type='BatchTaskAlignedAssigner', num_classes=num_classes)),
            test_cfg=ConfigDict({**CFG, **cfg}))
    return head.eval()


def random_logits(num_classes=3, reg_max=16, sizes=SIZES, seed=0):
    """Make class logits and logits of the box distributions of two images."""
    generator = torch.Generator().manual_seed(seed)
    return tuple([torch.randn(2, channels, *size, generator=generator) * spread - shift for size in sizes]
                 for channels, spread, shift in ((num_classes, 2, 3), (4 * reg_max, 3, 0)))


def host_outputs(head, cls_logits, dist_logits):
    """Return what mmyolo's head module would return if its branches predicted these logits."""
    levels = [head.head_module.forward_single(cls, lambda x: x, lambda x, dist=dist: dist)
              for cls, dist in zip(cls_logits, dist_logits)]
    return tuple(map(list, zip(*levels)))


def assert_same(found, expected, tolerance=5e-4):
    """Assert equal detections; the tolerance, in pixels, is a few units in the last place at 1000 pixels."""
    assert len(found) == len(expected)
    for ours, host in zip(found, expected):
        assert ours.labels.tolist() == host.labels.tolist()
        torch.testing.assert_close(ours.scores, host.scores, atol=1e-6, rtol=0)
        torch.testing.assert_close(ours.bboxes, host.bboxes, atol=tolerance, rtol=0)


def features(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, channels, *size, generator=generator) for channels, size in zip(CHANNELS, SIZES))


@torch.no_grad()
@pytest.mark.parametrize('num_classes, multi_label', [(1, True), (1, False), (80, True), (80, False)])
@pytest.mark.parametrize('nms_pre', [30000, 50])
def test_detections_equal_the_host(num_classes, multi_label, nms_pre):
    settings = dict(num_classes=num_classes, multi_label=multi_label, nms_pre=nms_pre)
    host, ours = build(YOLOv8Head, **settings), build(YOLO11Head, **settings)
    logits = random_logits(num_classes)
    for rescale, with_nms in product([False, True], repeat=2):
        options = dict(batch_img_metas=METAS, rescale=rescale, with_nms=with_nms)
        expected = host.predict_by_feat(*host_outputs(host, *logits), **options)
        found = ours.predict_by_feat(*logits, **options)
        assert_same(found, expected)
        assert all(len(image) > 20 for image in found)


@torch.no_grad()
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_memory_layout_and_input_size_may_change(layout):
    host, ours = build(YOLOv8Head), build(YOLO11Head)
    for sizes in (SIZES, [(8, 8), (4, 4), (2, 2)], SIZES):
        logits = [[level.to(memory_format=layout) for level in maps] for maps in random_logits(sizes=sizes)]
        expected = host.predict_by_feat(*host_outputs(host, *logits), batch_img_metas=METAS)
        assert_same(ours.predict_by_feat(*logits, batch_img_metas=METAS), expected)


@torch.no_grad()
def test_settings_of_the_call_go_before_those_of_the_head():
    host, ours = build(YOLOv8Head, num_classes=1), build(YOLO11Head, num_classes=1)
    logits, cfg = random_logits(1), ConfigDict(CFG, score_thr=0.4, max_per_img=3)
    expected = host.predict_by_feat(*host_outputs(host, *logits), batch_img_metas=METAS, cfg=cfg)
    assert_same(ours.predict_by_feat(*logits, batch_img_metas=METAS, cfg=cfg), expected)


@torch.no_grad()
@pytest.mark.parametrize('with_nms', [True, False])
def test_nothing_above_the_threshold(with_nms):
    logits = random_logits()
    for image in build(YOLO11Head, score_thr=0.9999).predict_by_feat(*logits, batch_img_metas=METAS,
                                                                     with_nms=with_nms):
        assert image.bboxes.shape == (0, 4) and image.scores.shape == (0, ) and image.labels.dtype == torch.int64


@torch.no_grad()
@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_maps_of_half_precision_are_decoded_in_single_precision(dtype):
    head = build(YOLO11Head)
    logits = [[level.to(dtype) for level in maps] for maps in random_logits()]
    expected = head.predict_by_feat(*[[level.float() for level in maps] for maps in logits], batch_img_metas=METAS)
    with torch.autocast('cpu', torch.bfloat16):
        found = head.predict_by_feat(*logits, batch_img_metas=METAS)
    for ours, exact in zip(found, expected):
        assert torch.equal(ours.bboxes, exact.bboxes) and torch.equal(ours.scores, exact.scores)
        assert ours.bboxes.dtype == torch.float32


@torch.no_grad()
@pytest.mark.parametrize('module, reg_max', [
    ('mmseam.YOLO11HeadModule', 16), ('mmseam.MultiSEAMHeadModule', 16), ('mmseam.YOLO11HeadModule', 1),
    ('mmyolo.YOLOv8HeadModule', 16)])
def test_predict_with_head_modules_of_ours_and_of_the_host(module, reg_max):
    host, ours = (build(head_class, module=module, reg_max=reg_max) for head_class in (YOLOv8Head, YOLO11Head))
    samples = [InstanceData(metainfo=meta) for meta in METAS]
    expected = host.predict(features(), samples, rescale=True)
    assert_same(ours.predict(features(), samples, rescale=True), expected)
    assert all(len(image) == CFG['max_per_img'] for image in expected)


@torch.no_grad()
def test_forward_in_evaluation_returns_logits():
    head = build(YOLO11Head)
    cls_logits, dist_logits = head(features())
    assert [tuple(level.shape) for level in cls_logits] == [(2, 3, *size) for size in SIZES]
    assert [tuple(level.shape) for level in dist_logits] == [(2, 64, *size) for size in SIZES]


def test_training_is_the_host_s():
    host, ours = build(YOLOv8Head).train(), build(YOLO11Head).train()
    boxes = torch.tensor([[0, 1, 10., 10, 60, 70], [0, 2, 30, 20, 110, 90], [1, 0, 5, 40, 50, 80]])
    batch = dict(bboxes_labels=boxes, img_metas=[dict(batch_input_shape=(96, 128))] * 2)
    losses = [head.loss(features(), copy.deepcopy(batch)) for head in (host, ours)]
    assert losses[0].keys() == losses[1].keys() == {'loss_cls', 'loss_bbox', 'loss_dfl'}
    for name, value in losses[0].items():
        assert value > 0 and value == losses[1][name]


@torch.no_grad()
def test_detections_from_outputs_of_training():
    """MMDetection's ``loss_and_predict`` hands all outputs of training to ``predict_by_feat``."""
    host, ours = build(YOLOv8Head), build(YOLO11Head).train()
    outputs = ours(features())
    assert len(outputs) == 3
    expected = host.predict_by_feat(*outputs[:2], batch_img_metas=METAS)
    assert_same(ours.predict_by_feat(*outputs, batch_img_metas=METAS), expected)


def test_shipped_configs_use_it(repo):
    cfg = Config.fromfile(repo / 'configs' / 'multiseam' / 'yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface.py')
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        assert type(MODELS.build(cfg.model.bbox_head)) is YOLO11Head
