"""Head modules of YOLO11: against the published code's outputs and their own promises."""
import math

import numpy as np
import pytest
import torch
from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmyolo.models.plugins import CBAM

from mmseam.convert.yolo11_keys import article_head_key
from mmseam.models import SEAM, AttentionHeadModule, MultiSEAM, MultiSEAMHeadModule, SEAMHeadModule, YOLO11HeadModule

CHANNELS = [32, 64, 128]


@torch.no_grad()
@pytest.mark.parametrize('name, head_class', [('seam', SEAMHeadModule), ('multiseam', MultiSEAMHeadModule)])
def test_equals_the_published_head(test_data, name, head_class):
    golden = np.load(test_data / 'golden' / 'seam_heads.npz')
    head = head_class(num_classes=3, in_channels=CHANNELS).eval()
    prefix = f'{name}/sd/'
    state = {article_head_key(k[len(prefix):]): torch.tensor(golden[k]) for k in golden if k.startswith(prefix)}
    state.pop(None, None)  # the fixed DFL weights, a buffer here
    head.load_state_dict(state)
    for level in range(3):
        x = torch.tensor(golden[f'{name}/feat_{level}'])
        for branch, predicted in (('box', head.reg_preds), ('cls', head.cls_preds)):
            np.testing.assert_allclose(
                predicted[level](x).numpy(), golden[f'{name}/{branch}_logits_{level}'], atol=1e-5, rtol=0)


def types(sequence):
    return [type(layer) for layer in sequence]


def test_branches_of_the_article_and_of_the_variant_that_keeps_the_class_stem():
    head = MultiSEAMHeadModule(1, CHANNELS)
    assert types(head.reg_preds[0]) == types(head.cls_preds[0]) == [ConvModule, MultiSEAM, torch.nn.Conv2d]
    head = SEAMHeadModule(1, CHANNELS, keep_cls_stem=True)
    assert types(head.reg_preds[0]) == [ConvModule, SEAM, torch.nn.Conv2d]
    assert types(head.cls_preds[0]) == [DepthwiseSeparableConvModule] * 2 + [SEAM, torch.nn.Conv2d]


def test_inserted_attention_starts_as_the_plain_head():
    plain = YOLO11HeadModule(2, CHANNELS).eval()
    for head_class in (SEAMHeadModule, MultiSEAMHeadModule):
        head = head_class(2, CHANNELS, keep_reg_stem=True, keep_cls_stem=True, attention_cfg=dict(identity_init=True))
        unmatched = head.eval().load_state_dict(plain.state_dict(), strict=False)
        assert not unmatched.unexpected_keys
        assert {key.split('.')[2] for key in unmatched.missing_keys} == {'attention'}
        maps = [torch.randn(1, channels, 10, 9) for channels in CHANNELS]
        with torch.no_grad():
            for own, others in zip(head.forward_logits(maps), plain.forward_logits(maps)):
                assert all(map(torch.equal, own, others))


def test_controls_without_attention():
    dense_stem = AttentionHeadModule(1, CHANNELS, attention_cfg=None)
    assert types(dense_stem.reg_preds[0]) == types(dense_stem.cls_preds[0]) == [ConvModule, torch.nn.Conv2d]
    wide = YOLO11HeadModule(1, CHANNELS, separable_cls=False, branch_channels=48)
    for branch in (*wide.reg_preds, *wide.cls_preds):
        assert types(branch) == [ConvModule, ConvModule, torch.nn.Conv2d]
        assert branch[1].conv.weight.shape == (48, 48, 3, 3)


def test_any_registered_attention_and_changed_arguments():
    head = AttentionHeadModule(1, CHANNELS, attention_cfg=dict(type='CBAM', reduce_ratio=8))
    assert isinstance(head.cls_preds[2][1], CBAM)
    head = MultiSEAMHeadModule(1, CHANNELS, attention_cfg=dict(patch_sizes=(6, 7, 8), patch_groups='depthwise'))
    assert [body.patch_size for body in head.reg_preds[0][1].bodies] == [6, 7, 8]


@pytest.mark.parametrize('num_classes, width', [(1, 32), (80, 80), (365, 100)])
def test_class_width_follows_the_classes_up_to_100(num_classes, width):
    head = YOLO11HeadModule(num_classes, CHANNELS)
    assert head.cls_preds[0][-1].weight.shape == (num_classes, width, 1, 1)
    assert YOLO11HeadModule(num_classes, [128, 64, 32]).cls_out_channels == 128


@pytest.mark.parametrize('head_class', [YOLO11HeadModule, SEAMHeadModule])
def test_init_weights_sets_the_priors(head_class):
    head = head_class(5, CHANNELS)
    head.init_weights()
    for stride, reg, cls in zip((8, 16, 32), head.reg_preds, head.cls_preds):
        assert (reg[-1].bias == 1).all()
        assert torch.allclose(cls[-1].bias, torch.tensor(math.log(5 / 5 / (640 / stride)**2)))
    first = head.reg_preds[0][0].conv.weight
    assert first.abs().max() <= 1 / math.sqrt(32 * 9)


@torch.no_grad()
@pytest.mark.parametrize('size', [(20, 20), (5, 6)])
def test_forward_shapes(size):
    head = MultiSEAMHeadModule(2, CHANNELS)
    features = [torch.randn(1, c, size[0] * s, size[1] * s) for c, s in zip(CHANNELS, (4, 2, 1))]
    scores, boxes, distributions = head.train()(features)
    for x, score, box, distribution in zip(features, scores, boxes, distributions):
        h, w = x.shape[2:]
        assert score.shape == (1, 2, h, w) and box.shape == (1, 4, h, w) and distribution.shape == (1, h * w, 4, 16)
    assert len(head.eval()(features)) == 2
