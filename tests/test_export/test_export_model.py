"""The network with its decoding equals the host's head."""
import copy

import pytest
import torch
from small_detector import SIZE
from torch import nn

from mmseam.export.export_model import ExportModel
from mmseam.models.fused import switch_to_deploy
from mmseam.registry import MODELS


def host_outputs(detector, images):
    """Boxes and scores by the host's own forward pass, points and coder."""
    head = detector.bbox_head
    cls_logits, distances = head(detector.extract_feat(images))
    sizes = [level.shape[2:] for level in cls_logits]
    points = torch.cat(head.prior_generator.grid_priors(sizes, device='cpu', with_stride=True))
    flat = [torch.cat([level.permute(0, 2, 3, 1).flatten(1, 2) for level in levels], 1)
            for levels in (cls_logits, distances)]
    return head.bbox_coder.decode(points[None, :, :2], flat[1], points[:, 2]), flat[0].sigmoid()


@pytest.mark.parametrize('size', [SIZE, None], ids=['static', 'dynamic'])
@torch.no_grad()
def test_equals_the_host(detector, noise, size):
    images = noise(2, *SIZE)
    boxes, scores = ExportModel(detector, size)(images)
    wanted_boxes, wanted_scores = host_outputs(detector, images)
    assert boxes.shape == (2, 20 * 24 + 10 * 12 + 5 * 6, 4)
    torch.testing.assert_close(boxes, wanted_boxes, atol=1e-3, rtol=0)
    torch.testing.assert_close(scores, wanted_scores, atol=1e-6, rtol=0)


@torch.no_grad()
def test_deploy_form(detector, noise):
    images = noise(1, *SIZE)
    deployed = switch_to_deploy(copy.deepcopy(detector))
    for found, wanted, tolerance in zip(ExportModel(deployed)(images), ExportModel(detector)(images), (1e-2, 1e-4)):
        torch.testing.assert_close(found, wanted, atol=tolerance, rtol=0)


def test_head_of_the_host(detector):
    other = copy.deepcopy(detector)
    other.bbox_head = MODELS.build(dict(
        type='mmyolo.YOLOv8Head', head_module=dict(type='mmyolo.YOLOv8HeadModule', num_classes=3,
                                                   in_channels=[16, 16, 16])))
    with pytest.raises(TypeError, match='YOLOv8HeadModule cannot be exported'):
        ExportModel(other)
    with pytest.raises(TypeError, match='Conv2d'):
        ExportModel(nn.Conv2d(3, 3, 1))
