"""AttentionNeck: any attention on chosen levels of any pyramid."""
import pytest
import torch
import torch.nn as nn

from mmseam.models import SEAM, AttentionNeck, MultiSEAM
from mmseam.registry import MODELS


@pytest.mark.parametrize('attention', ['mmseam.SEAM', 'mmseam.MultiSEAM', 'CBAM'])
def test_levels_keep_their_shapes(attention):
    neck = AttentionNeck([256, 512, 1024], dict(type=attention), widen_factor=.25).eval()
    inputs = tuple(torch.randn(2, c, s, s) for c, s in ((64, 12), (128, 6), (256, 3)))
    outputs = neck(inputs)
    assert isinstance(outputs, tuple) and [y.shape for y in outputs] == [x.shape for x in inputs]
    assert not any(torch.equal(x, y) for x, y in zip(inputs, outputs))


def test_levels_not_chosen_pass_unchanged():
    neck = AttentionNeck([32, 32, 32], dict(type='mmseam.SEAM'), levels=(0, 2))
    assert [type(layer) for layer in neck.layers] == [SEAM, nn.Identity, SEAM]
    inputs = [torch.randn(2, 32, 4, 4) for _ in range(3)]
    assert neck(inputs)[1] is inputs[1]


@pytest.mark.parametrize('scope', ['mmdet', 'mmyolo', 'mmengine', None])
def test_is_built_from_any_default_scope(scope):
    from mmengine.registry import DefaultScope
    with DefaultScope.overwrite_default_scope(scope):
        neck = AttentionNeck([16], dict(type='MultiSEAM'))
    assert isinstance(neck.layers[0], MultiSEAM)


def test_yolo11_pafpn_puts_out_its_channels():
    neck = MODELS.build(dict(type='YOLO11PAFPN', in_channels=[512, 512, 1024], out_channels=[256, 512, 1024],
                             deepen_factor=.5, widen_factor=.25))
    inputs = [torch.randn(1, c, s, s) for c, s in ((128, 8), (128, 4), (256, 2))]
    assert [tuple(y.shape) for y in neck(inputs)] == [(1, 64, 8, 8), (1, 128, 4, 4), (1, 256, 2, 2)]


def test_bad_levels_are_named():
    with pytest.raises(ValueError, match=r'levels \[3\] do not exist'):
        AttentionNeck([16, 16], dict(type='CBAM'), levels=(0, 3))
    with pytest.raises(ValueError, match='outputs 3 levels but in_channels of AttentionNeck names 2'):
        AttentionNeck([16, 16], dict(type='CBAM'))([torch.zeros(1, 16, 2, 2)] * 3)
