"""YOLO11's backbone."""
import pytest
import torch

from mmseam.models import SEAM, MultiSEAM, YOLO11CSPDarknet

SIZES = dict(
    n=dict(deepen_factor=.5, widen_factor=.25, last_stage_out_channels=1024),
    s=dict(deepen_factor=.5, widen_factor=.5, last_stage_out_channels=1024),
    m=dict(deepen_factor=.5, widen_factor=1., last_stage_out_channels=512, all_c3k=True),
    l=dict(deepen_factor=1., widen_factor=1., last_stage_out_channels=512, all_c3k=True),
    x=dict(deepen_factor=1., widen_factor=1.5, last_stage_out_channels=512, all_c3k=True))
# Outputs of the four stages; the second and third are as wide, C3k2(512) both.
CHANNELS = dict(n=[64, 128, 128, 256], s=[128, 256, 256, 512], m=[256, 512, 512, 512], l=[256, 512, 512, 512],
                x=[384, 768, 768, 768])


@pytest.mark.parametrize('size', SIZES)
def test_output_channels_and_strides(size):
    with torch.device('meta'):
        model = YOLO11CSPDarknet(out_indices=(1, 2, 3, 4), **SIZES[size])
        outputs = model(torch.rand(1, 3, 64, 96))
    assert [tuple(x.shape[1:]) for x in outputs] == [(c, 64 // s, 96 // s)
                                                    for c, s in zip(CHANNELS[size], (4, 8, 16, 32))]


@pytest.mark.parametrize('size', SIZES)
def test_plugins_get_the_channels_of_their_stage(size):
    plugins = [
        dict(cfg=dict(type='mmseam.MultiSEAM'), stages=(False, True, True, True)),
        dict(cfg=dict(type='mmseam.SEAM')),
        dict(cfg=dict(type='CBAM'), stages=(True, False, False, True)),
    ]
    with torch.device('meta'):
        model = YOLO11CSPDarknet(plugins=plugins, **SIZES[size])
        model(torch.rand(1, 3, 64, 64))
    widths = [stage[-1].gate.fc1.in_features for stage in (model.stage2, model.stage3)]
    assert widths == CHANNELS[size][1:3]
    assert isinstance(model.stage2[-2], MultiSEAM) and isinstance(model.stage2[-1], SEAM)


def test_init_weights_leaves_an_attention_its_own_start():
    model = YOLO11CSPDarknet(plugins=[dict(cfg=dict(type='mmseam.SEAM', identity_init=True))], **SIZES['n'])
    model.init_weights()
    layer = model.stage4[-1]
    pointwise = layer.body[0].pointwise.conv.weight
    assert pointwise.std().item() == pytest.approx((2 / 512)**.5, rel=.02)  # Xavier, not PyTorch's 1/16/√3
    assert (layer.gate.fc2.weight == 0).all()
    stem = model.stem.conv.weight
    assert stem.abs().max() <= 27**-.5  # PyTorch's uniform bound, not ConvModule's Kaiming normal


def test_wrong_number_of_plugin_stages_is_named():
    with pytest.raises(ValueError, match='needs 4 entries'):
        YOLO11CSPDarknet(plugins=[dict(cfg=dict(type='CBAM'), stages=(True, ))])
