"""Detectors of MMDetection by their own configs find what MMDetection's own inference finds."""
from pathlib import Path

import cv2
import mmdet
import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector
from mmengine.config import Config
from mmengine.registry import DefaultScope
from test_detector import drawn
from torch import nn

from mmseam.apis import load_detector
from mmseam.registry import MODELS
from mmseam.utils.config import ConfigError

SPREAD = dict(retinanet=.04)  # of the last weights, so that few scores are equal
RESNET18 = dict(backbone=dict(depth=18), neck=dict(in_channels=[64, 128, 256, 512]))
DETECTORS = dict(
    # Resized to a range of sides, padded by the preprocessor, normalized, RGB
    retinanet=('retinanet/retinanet_r18_fpn_1x_coco.py', {}),
    # Two stages
    faster_rcnn=('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
                 dict(model=dict(**RESNET18, test_cfg=dict(rcnn=dict(score_thr=0.0))))),
    # Padded to a square by a transform, BGR
    rtmdet=('rtmdet/rtmdet_tiny_8xb32-300e_coco.py', {}),
)


def write_detector(folder, name, loading=None):
    """Write a small config, and weights whose scores differ."""
    base, changes = DETECTORS[name]
    cfg = Config.fromfile(Path(mmdet.__file__).parent / '.mim' / 'configs' / base)
    cfg.merge_from_dict({**changes, 'model.backbone.init_cfg': None})
    pipeline = cfg.test_dataloader.dataset.pipeline
    pipeline[0].update(loading or {})
    for step in pipeline:
        step.update({key: (160, 128) if key == 'scale' else (160, 160) for key in ('scale', 'size') if key in step})
    cfg.dump(folder / f'{name}.py')
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    for part, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, .8, 1.2)
        elif 'cls' in part and len(getattr(module, 'weight', ())) in (80, 81, 720):
            nn.init.normal_(module.weight, std=SPREAD.get(name, .2))
    meta = dict(dataset_meta=dict(classes=tuple(map(str, range(80)))))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), folder / f'{name}.pth')
    return folder / f'{name}.py', folder / f'{name}.pth'


def difference(found, expected):
    """Of each expected detection and the found one that is nearest: in pixels, scores times 500, labels times 1000."""
    rows = [np.hstack([boxes, 500 * scores[:, None], 1000. * labels[:, None]])
            for boxes, scores, labels in ((found.boxes, found.scores, found.labels),
                                          (expected.bboxes.numpy(), expected.scores.numpy(), expected.labels.numpy()))]
    return np.abs(rows[0][None] - rows[1][:, None]).max(2).min(1)


@pytest.mark.parametrize('name, loading', [*((name, {}) for name in DETECTORS), ('retinanet', dict(to_float32=True))])
def test_detections_are_those_of_the_host(tmp_path, name, loading):
    config, checkpoint = write_detector(tmp_path, name, loading)
    cv2.imwrite(str(tmp_path / 'a.png'), drawn(300, 200))
    host = init_detector(str(config), str(checkpoint), device='cpu')
    expected = inference_detector(host, str(tmp_path / 'a.png')).pred_instances
    scores = expected.scores.sort(descending=True)[0]
    place = int((scores[20:80] - scores[21:81]).argmax()) + 20  # the widest gap, so that rounding does not matter
    found, = load_detector(config, checkpoint, 'cpu', rect=False)(
        tmp_path / 'a.png', score_thr=float(scores[place:place + 2].mean()))
    expected = expected[expected.scores >= scores[place]]
    assert len(found) == len(expected) > 20
    assert difference(found, expected).max() < .05
    assert found.classes[:3] == ('0', '1', '2')


@pytest.mark.parametrize('change, message', [
    (lambda cfg: cfg.test_dataloader.dataset.pipeline[0].update(color_type='grayscale'), "color_type='grayscale'"),
    (lambda cfg: cfg.test_dataloader.dataset.pipeline.insert(1, dict(type='LoadProposals')),
     r"\(LoadImageFromFile, LoadProposals, Resize, .*\) cannot be run on an image alone: KeyError: 'proposals'"),
    (lambda cfg: cfg.model.update(data_preprocessor=dict(type='mmengine.ImgDataPreprocessor')),
     'model.data_preprocessor is a ImgDataPreprocessor'),
], ids=['gray', 'proposals', 'preprocessor'])
def test_what_cannot_be_followed_is_named(tmp_path, change, message):
    config, checkpoint = write_detector(tmp_path, 'retinanet')
    cfg = Config.fromfile(config)
    change(cfg)
    cfg.dump(config)
    with pytest.raises(ConfigError, match=message):
        load_detector(config, checkpoint, 'cpu')
