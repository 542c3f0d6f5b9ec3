"""SE and ECA against plain references; and they, CBAM and RFE by one line of config in head, neck and backbone."""
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from config_files import build_model, count_parameters
from mmdet.models.layers import SELayer
from mmengine.config import Config
from mmyolo.models.plugins import CBAM
from torch.autograd import gradcheck

from mmseam.models import ECA, RFE, SE, AttentionHeadModule
from mmseam.models.fused import switch_to_deploy

CONFIG = Path(__file__).resolve().parents[3] / 'configs/yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py'
#: Type, its class, and its parameters with C channels.
LAYERS = {
    'mmseam.SE': (SE, lambda c: 2 * c * (c // 16) + c + c // 16),
    'mmseam.ECA': (ECA, lambda c: {64: 3, 128: 5, 256: 5}[c]),
    'CBAM': (CBAM, lambda c: 2 * c * (c // 16) + c + c // 16 + 2 * 7 * 7 + 1),
    'mmseam.RFE': (RFE, lambda c: 9 * c**2 + 2 * c),
}


def in_head(cfg, attention):
    cfg.model.bbox_head.head_module.update(
        type='mmseam.AttentionHeadModule', attention_cfg=attention, keep_reg_stem=True, keep_cls_stem=True)


def in_neck(cfg, attention):
    cfg.model.neck = [cfg.model.neck, dict(
        type='mmseam.AttentionNeck', in_channels=[256, 512, 1024], widen_factor=.25, attention_cfg=attention)]


def in_backbone(cfg, attention):
    cfg.model.backbone.plugins = [dict(cfg=attention, stages=(False, True, True, True))]


#: The channels of the layers that are put in.
PLACES = {in_head: [64] * 6, in_neck: [64, 128, 256], in_backbone: [128, 128, 256]}


@pytest.fixture(scope='module')
def plain_parameters():
    return count_parameters(build_model(Config.fromfile(CONFIG), 'meta'))


@pytest.mark.parametrize('attention', LAYERS)
@pytest.mark.parametrize('place', PLACES, ids=lambda place: place.__name__)
def test_one_line_of_config(plain_parameters, place, attention):
    cfg = Config.fromfile(CONFIG)
    place(cfg, dict(type=attention))
    model = build_model(cfg)
    layer_class, parameters = LAYERS[attention]
    channels = PLACES[place]
    layers = [module for module in model.modules() if isinstance(module, layer_class)]
    assert len(layers) == len(channels)
    assert count_parameters(model) - plain_parameters == sum(map(parameters, channels))
    model.init_weights()
    with torch.no_grad():
        scores, _ = model.eval()(torch.rand(1, 3, 64, 96), mode='tensor')
    assert [tuple(level.shape) for level in scores] == [(1, 1, 8, 12), (1, 1, 4, 6), (1, 1, 2, 3)]
    assert all(torch.isfinite(level).all() for level in scores)


@torch.no_grad()
@pytest.mark.parametrize('channels', [24, 64])
def test_se_is_the_host_s_layer(channels):
    layer, host = SE(channels), SELayer(channels)
    host.load_state_dict(layer.state_dict())
    x = torch.randn(2, channels, 5, 7)
    torch.testing.assert_close(layer(x), host(x))
    torch.testing.assert_close(x * layer.gain(x)[:, :, None, None], host(x))


def test_se_with_fewer_channels_than_the_ratio():
    assert SE(8)(torch.randn(2, 8, 3, 3)).shape == (2, 8, 3, 3)


@pytest.mark.parametrize('channels, size', [(8, 3), (16, 3), (32, 3), (64, 3), (128, 5), (256, 5), (512, 5), (2048, 7)])
def test_eca_kernel_sizes_follow_the_paper(channels, size):
    layer = ECA(channels)
    assert [tuple(p.shape) for p in layer.parameters()] == [(1, 1, size)]
    nearest = abs(size - (math.log2(channels) + 1) / 2)
    assert nearest <= 1


@torch.no_grad()
def test_eca_equals_a_plain_reference():
    layer = ECA(64)
    x = torch.randn(2, 64, 5, 7)
    pooled, weight = F.pad(x.mean((2, 3)), (1, 1)), layer.conv.weight[0, 0]
    gain = torch.stack([pooled[:, c:c + 3] @ weight for c in range(64)], 1).sigmoid()
    torch.testing.assert_close(layer(x), x * gain[:, :, None, None])


@pytest.mark.parametrize('layer_class', [SE, ECA])
def test_gradient(layer_class):
    torch.manual_seed(0)
    x = torch.randn(1, 16, 3, 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(layer_class(16).double(), x)


@torch.no_grad()
@pytest.mark.parametrize('attention', ['mmseam.SE', 'mmseam.ECA', 'mmseam.RFE', 'CBAM'])
def test_fused_head_has_the_same_logits(attention):
    head = AttentionHeadModule(2, [32, 64, 128], attention_cfg=dict(type=attention)).eval()
    maps = [torch.randn(1, c, s, s) for c, s in ((32, 8), (64, 4), (128, 2))]
    expected = head.forward_logits(maps)
    found = switch_to_deploy(head).forward_logits(maps)
    for ours, reference in zip(sum(found, []), sum(expected, [])):
        torch.testing.assert_close(ours, reference, atol=1e-5, rtol=1e-5)
