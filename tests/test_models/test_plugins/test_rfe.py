"""RFE: against a plain reference, its gradient, and what its options promise."""
import copy

import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn.utils import fuse_conv_bn
from torch.autograd import gradcheck

from mmseam.models import RFE
from mmseam.models.fused import switch_to_deploy


def randomized(layer):
    """Give the layer a normalization that is not at its start, in evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    for name in ('weight', 'bias', 'running_mean', 'running_var'):
        getattr(layer.bn, name).data = torch.rand(layer.bn.num_features, generator=generator) + .2
    return layer.eval()


def plain_dilated(x, weight, rate):
    """Compute a 3×3 convolution with gaps as nine shifted products."""
    h, w = x.shape[2:]
    padded = F.pad(x, [rate] * 4)
    shifted = [[padded[:, :, i:i + h, j:j + w] for j in range(0, 3 * rate, rate)] for i in range(0, 3 * rate, rate)]
    return sum(torch.einsum('oc,bchw->bohw', weight[:, :, i, j], shifted[i][j]) for i in range(3) for j in range(3))


@torch.no_grad()
@pytest.mark.parametrize('dilations', [(1, 2, 3), (2, ), (1, 1, 5)], ids=str)
@pytest.mark.parametrize('size', [(1, 1), (9, 13)], ids=str)
def test_equals_a_plain_reference(dilations, size):
    layer = randomized(RFE(8, dilations))
    x = torch.randn(2, 8, *size)
    total = sum(plain_dilated(x, layer.conv.weight, rate) for rate in dilations)
    norm, shape = layer.bn, (1, -1, 1, 1)
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    total = (total - norm.running_mean.view(shape)) * scale.view(shape) + norm.bias.view(shape)
    torch.testing.assert_close(layer(x), x + total * total.sigmoid())


def test_gradient():
    layer = randomized(RFE(3)).double()
    x = torch.randn(1, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x, weight: torch.func.functional_call(layer, {'conv.weight': weight}, (x, )),
                     (x, layer.conv.weight))


@pytest.mark.parametrize('channels', [16, 40])
@pytest.mark.parametrize('dilations', [(1, ), (1, 2, 3)], ids=str)
def test_the_kernel_is_shared(channels, dilations):
    assert sum(p.numel() for p in RFE(channels, dilations).parameters()) == 9 * channels**2 + 2 * channels


def test_sees_as_far_as_the_largest_dilation():
    layer = randomized(RFE(4))
    x = torch.zeros(1, 4, 15, 15, requires_grad=True)
    layer(x)[0, 0, 7, 7].backward()
    rows = x.grad[0].abs().sum((0, 2)).nonzero().flatten().tolist()
    assert rows == [4, 5, 6, 7, 8, 9, 10]


def test_identity_init():
    x = torch.randn(2, 16, 7, 7)
    layer = RFE(16, identity_init=True).train()
    assert torch.equal(layer(x), x)
    layer(x).square().sum().backward()
    assert layer.bn.weight.grad.any()  # and it can leave the identity
    assert not torch.equal(RFE(16)(x), x)


@torch.no_grad()
@pytest.mark.parametrize('fuse', [switch_to_deploy, fuse_conv_bn], ids=['ours', 'mmcv'])
def test_folds_its_normalization(fuse):
    layer = randomized(RFE(8))
    x = torch.randn(2, 8, 11, 6)
    fused = fuse(copy.deepcopy(layer))
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fused.modules())
    torch.testing.assert_close(fused(x), layer(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('dilations', [(), (1, 0), (1, 2.5)], ids=str)
def test_bad_dilations_are_named(dilations):
    with pytest.raises(ValueError, match='dilations must be whole numbers of at least 1, got'):
        RFE(8, dilations)
