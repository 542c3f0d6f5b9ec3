"""SEAM and MultiSEAM: against the published code's outputs, a plain reference, and what their options promise."""
import numpy as np
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from mmseam.convert.yolo11_keys import article_attention_key
from mmseam.models import SEAM, MultiSEAM

GOLDEN_LAYERS = {
    'seam_c32': lambda: SEAM(32),
    'seam_c32_n2': lambda: SEAM(32, depth=2),
    'multiseam_c32_p357': lambda: MultiSEAM(32),
    'multiseam_c32_p678': lambda: MultiSEAM(32, patch_sizes=(6, 7, 8)),
}
BOTH = pytest.mark.parametrize('layer_class', [SEAM, MultiSEAM])


@pytest.mark.parametrize('name', GOLDEN_LAYERS)
def test_equals_the_published_code(test_data, name):
    golden = np.load(test_data / 'golden' / 'seam_layers.npz')
    prefix = f'{name}/sd/'
    state = {article_attention_key(k[len(prefix):]): torch.tensor(golden[k]) for k in golden if k.startswith(prefix)}
    layer = GOLDEN_LAYERS[name]().eval()
    layer.load_state_dict(state)
    y = layer(torch.tensor(golden[f'{name}/x']))
    np.testing.assert_allclose(y.detach().numpy(), golden[f'{name}/y'], atol=1e-5, rtol=0)


@pytest.mark.parametrize('channels', [16, 40, 64, 100, 128])
def test_parameter_formulas(channels):
    squeeze = 2 * channels * (channels // 16)
    count = [sum(p.numel() for p in layer(channels).parameters()) for layer in (SEAM, MultiSEAM)]
    assert count == [channels**2 + 15 * channels + squeeze, 86 * channels**2 + 54 * channels + squeeze]


def plain_batch_norm(x, norm):
    shape = (1, -1, 1, 1)
    mean, std = norm.running_mean.view(shape), (norm.running_var + norm.eps).sqrt().view(shape)
    return (x - mean) / std * norm.weight.view(shape) + norm.bias.view(shape)


def plain_separable(x, block, act):
    conv = block.depthwise.conv
    y = plain_batch_norm(act(F.conv2d(x, conv.weight, conv.bias, padding=conv.kernel_size[0] // 2,
                                      groups=x.shape[1])), block.depthwise.bn) + x
    conv = block.pointwise.conv
    mixed = torch.einsum('oc,bchw->bohw', conv.weight[:, :, 0, 0], y) + conv.bias.view(1, -1, 1, 1)
    return plain_batch_norm(act(mixed), block.pointwise.bn)


def plain_gate(x, pooled, gate):
    gain = torch.exp(torch.sigmoid(torch.relu(pooled @ gate.fc1.weight.T) @ gate.fc2.weight.T))
    return x * gain[:, :, None, None]


def plain_multiseam(x, layer):
    pooled = [x.mean((2, 3))]
    for body in layer.bodies:
        conv, p = body.patch_embed.conv, body.patch_size
        h, w = x.shape[2] // p, x.shape[3] // p
        patches = x[:, :, :h * p, :w * p].reshape(len(x), x.shape[1], h, p, w, p)
        tokens = torch.einsum('bchiwj,ocij->bohw', patches, conv.weight) + conv.bias.view(1, -1, 1, 1)
        y = plain_batch_norm(F.silu(tokens), body.patch_embed.bn)
        for block in body.blocks:
            y = plain_separable(y, block, F.silu)
        pooled.append(y.mean((2, 3)))
    return plain_gate(x, sum(pooled) / len(pooled), layer.gate)


def randomized(layer):
    """Give the layer weights and statistics that are not at their start, in evaluation mode."""
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in ((module.weight, .5, 1.5), (module.bias, -.5, .5), (module.running_mean, -.5, .5),
                                      (module.running_var, .5, 2)):
                nn.init.uniform_(tensor, low, high)
    return layer.eval()


@torch.no_grad()
@pytest.mark.parametrize('depth, kernel_size', [(1, 3), (2, 5)])
def test_equals_a_plain_reference(depth, kernel_size):
    x = torch.randn(2, 24, 17, 23)
    seam = randomized(SEAM(24, depth=depth, kernel_size=kernel_size))
    y = x
    for block in seam.body:
        y = plain_separable(y, block, F.gelu)
    torch.testing.assert_close(seam(x), plain_gate(x, y.mean((2, 3)), seam.gate))
    multiseam = randomized(MultiSEAM(24, depth=depth, kernel_size=kernel_size))
    torch.testing.assert_close(multiseam(x), plain_multiseam(x, multiseam))


@BOTH
@pytest.mark.parametrize('size', [(1, 1), (1, 9), (5, 6), (6, 7), (2, 20)])
@pytest.mark.parametrize('batch_size', [1, 2])
@pytest.mark.parametrize('training', [True, False])
def test_every_map_size_and_batch_size(layer_class, size, batch_size, training):
    layer = layer_class(8).train(training)
    x = torch.randn(batch_size, 8, *size, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert y.shape == x.shape and torch.isfinite(y).all() and torch.isfinite(x.grad).all()
    gain = (y / x).detach()
    assert (gain >= 1).all() and (gain <= np.e).all()
    # One gain a channel: a channel gate, not a spatial map.
    torch.testing.assert_close(gain, gain.mean((2, 3), keepdim=True).expand_as(gain))


def test_small_map_is_padded_with_zeros():
    layer = randomized(MultiSEAM(16))
    x = torch.randn(1, 16, 5, 6)
    seven = layer.bodies[2]
    torch.testing.assert_close(seven(x), seven(F.pad(x, (0, 1, 0, 2))))


def test_single_value_in_training_uses_running_statistics_and_keeps_them():
    layer = MultiSEAM(16, patch_sizes=(7, )).train()
    norm = layer.bodies[0].patch_embed.bn
    norm.running_mean.fill_(0.3)
    layer(torch.randn(1, 16, 7, 7))
    assert norm.num_batches_tracked == 0 and (norm.running_mean == 0.3).all()
    layer(torch.randn(2, 16, 7, 7))
    assert norm.num_batches_tracked == 1


@pytest.mark.parametrize('pad_to_patch, sees_border', [(False, False), (True, True)])
def test_pad_to_patch_covers_the_border(pad_to_patch, sees_border):
    layer = randomized(MultiSEAM(16, patch_sizes=(7, ), pad_to_patch=pad_to_patch))
    x = torch.randn(1, 16, 20, 20)
    changed = x.clone()
    changed[:, :, 14:] += 1  # rows that 20 // 7 patches leave over
    before, after = layer.bodies[0](x), layer.bodies[0](changed)
    assert torch.allclose(before, after) is not sees_border


@pytest.mark.parametrize('groups, share', [(1, 1), (4, 1 / 4), ('depthwise', 1 / 64)])
def test_patch_groups_shrink_the_embeddings(groups, share):
    layer = MultiSEAM(64, patch_groups=groups)
    embed = sum(body.patch_embed.conv.weight.numel() for body in layer.bodies)
    assert embed == (9 + 25 + 49) * 64 * 64 * share
    assert layer(torch.randn(2, 64, 14, 14)).shape == (2, 64, 14, 14)


@BOTH
def test_identity_init(layer_class):
    torch.manual_seed(0)
    x = torch.randn(2, 64, 14, 14)
    torch.testing.assert_close(layer_class(64, identity_init=True)(x), x)
    published = layer_class(64)(x) / x
    assert 1.6 < published.mean() < 1.7  # e^0.5: what a pretrained network is disturbed by
    trained = layer_class(64, identity_init=True)
    nn.init.normal_(trained.gate.fc2.weight, std=10)
    gain = trained(x) / x
    assert gain.min() < 0.95 and gain.max() > 1.05  # and it can learn both directions


def test_seam_starts_xavier_uniform_and_multiseam_as_pytorch():
    torch.manual_seed(0)
    pointwise = SEAM(256).body[0].pointwise.conv.weight
    assert pointwise.abs().max() <= (6 / 512)**.5 and pointwise.std().item() == pytest.approx((2 / 512)**.5, rel=.02)
    pointwise = MultiSEAM(256).bodies[0].blocks[0].pointwise.conv.weight
    assert pointwise.abs().max() <= 1 / 16 and pointwise.std().item() == pytest.approx(1 / 16 / 3**.5, rel=.02)


def can_autocast(dtype):
    try:
        with torch.autocast('cpu', dtype=dtype):
            return True
    except RuntimeError:  # PyTorch 2.1 has bfloat16 only
        return False


@BOTH
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_keeps_the_dtype_of_the_map(layer_class, dtype):
    if not can_autocast(dtype):
        pytest.skip(f'this PyTorch has no autocast to {dtype} on CPUs')
    x = torch.randn(2, 32, 9, 9)
    layer = randomized(layer_class(32))
    with torch.no_grad(), torch.autocast('cpu', dtype=dtype):
        y = layer(x.to(dtype))
    assert y.dtype == dtype
    with torch.no_grad():
        torch.testing.assert_close(y.float(), layer(x), atol=.05, rtol=.02)


@BOTH
def test_fewer_channels_than_the_reduction(layer_class):
    layer = layer_class(8)
    assert layer.gate.fc1.weight.shape == (1, 8)


@pytest.mark.skipif(not hasattr(torch.export, 'Dim'), reason='this PyTorch exports no dynamic sizes')
@BOTH
def test_export_with_dynamic_sizes(layer_class):
    layer = randomized(layer_class(16))
    dim = torch.export.Dim
    # From two of the largest patches on: torch.export tells one token from several, so smaller maps are exported fixed.
    dynamic = ({0: dim('batch', min=1, max=64), 2: dim('h', min=14, max=256), 3: dim('w', min=14, max=256)}, )
    exported = torch.export.export(layer, (torch.randn(2, 16, 20, 24), ), dynamic_shapes=dynamic).module()
    for shape in ((1, 16, 14, 15), (3, 16, 20, 80), (2, 16, 41, 33)):
        x = torch.randn(shape)
        torch.testing.assert_close(exported(x), layer(x))


@BOTH
def test_group_norm_instead_of_batch_norm(layer_class):
    layer = layer_class(32, norm_cfg=dict(type='GN', num_groups=4), act_cfg=dict(type='ReLU')).train()
    x = torch.randn(1, 32, 3, 3)
    assert torch.isfinite(layer(x)).all()
    assert not any(isinstance(m, nn.BatchNorm2d) for m in layer.modules())


@BOTH
@pytest.mark.parametrize('arguments', [dict(depth=0), dict(depth=-1), dict(depth=1.5), dict(kernel_size=-1),
                                       dict(reduction=0), dict(in_channels=0)], ids=str)
def test_numbers_below_one_are_refused(layer_class, arguments):
    (name, value), = arguments.items()
    with pytest.raises(ValueError, match=f'{name} must be a whole number of at least 1, got {value}'):
        layer_class(**{'in_channels': 32, **arguments})


@pytest.mark.parametrize('arguments, message', [
    (dict(patch_sizes=(3, 0)), 'patch_sizes must be a whole number of at least 1, got 0'),
    (dict(kernel_size=4), 'kernel_size must be odd'),
    (dict(patch_sizes=()), 'patch_sizes must name'),
    (dict(patch_groups=5), 'patch_groups must divide in_channels=32'),
    (dict(patch_groups='dense'), "or be 'depthwise', got 'dense'"),
])
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiSEAM(32, **arguments)
