"""YOLO11's neck with three scales and with a fourth, of stride 4."""
import copy

import pytest
import torch

from mmseam.models import YOLO11PAFPN
from mmseam.models.fused import switch_to_deploy

IN, OUT = [256, 512, 512, 1024], [128, 256, 512, 1024]
SIZES = dict(n=dict(deepen_factor=.5, widen_factor=.25), m=dict(deepen_factor=.5, widen_factor=.5, all_c3k=True))


def build(scales, size):
    return torch.nn.Sequential(YOLO11PAFPN(IN[-scales:], OUT[-scales:], **SIZES[size])).double().eval()


@torch.no_grad()
@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('scales', [2, 3, 4])
def test_shapes_and_fused_form(scales, size):
    torch.manual_seed(0)
    neck, width = build(scales, size), SIZES[size]['widen_factor']
    maps = [torch.randn(1, int(c * width), 2**i, 3 * 2**i, dtype=torch.float64)
            for i, c in zip(reversed(range(scales)), IN[-scales:])]
    outs = neck(maps)
    assert [out.shape[1] for out in outs] == [int(c * width) for c in OUT[-scales:]]
    assert [out.shape[2:] for out in outs] == [x.shape[2:] for x in maps]
    for fused, out in zip(switch_to_deploy(copy.deepcopy(neck))(maps), outs):
        torch.testing.assert_close(fused, out)


def test_a_fourth_scale_leaves_the_layers_of_the_upper_ones():
    three, four = (dict(build(scales, 'n')[0].named_parameters()) for scales in (3, 4))
    for name, parameter in three.items():
        if name.startswith('top_down_layers'):
            assert four[name].shape == parameter.shape
        else:  # the path back up starts one scale lower
            kind, index, rest = name.split('.', 2)
            assert four[f'{kind}.{int(index) + 1}.{rest}'].shape == parameter.shape
