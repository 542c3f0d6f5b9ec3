"""The deploy form: the same outputs from fewer operations, in whole detectors and in the layers alone."""
import copy

import pytest
import torch
from mmcv.cnn import ConvModule
from mmcv.cnn.utils import fuse_conv_bn
from torch import nn

from mmseam.models import SEAM, MultiSEAM
from mmseam.models.fused import GatedPredictor, PointwiseConv, switch_to_deploy
from mmseam.models.fused.paired_branches import PairedBranches
from mmseam.registry import MODELS
from mmseam.utils import register_all_modules
from mmseam.utils.config import load_config

LAYERS = [
    lambda: SEAM(32), lambda: SEAM(20, depth=2, identity_init=True), lambda: MultiSEAM(32),
    lambda: MultiSEAM(16, depth=2, patch_sizes=(2, 3), pad_to_patch=True, patch_groups='depthwise')
]
NETS = ['yolo11_n', 'yolo11_n_seam', 'yolo11_n_multiseam', 'yolo11_n_multiseam-lite', 'yolo11_n_multiseam-neck',
        'yolo11_n_seam-backbone']


def shake(model):
    """Give normalizations the statistics and weights of a trained model, and gates some effect."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor, low, high in ((module.running_mean, -.3, .3), (module.running_var, .5, 2),
                                      (module.weight.data, -1.5, 1.5), (module.bias.data, -.5, .5)):
                tensor.uniform_(low, high, generator=generator)
        elif isinstance(module, nn.Linear):
            module.weight.data.uniform_(-1, 1, generator=generator)
    return model.eval()


def build(name):
    register_all_modules()
    model = MODELS.build(load_config(f'{name}_syncbn_fast_8xb16-250e_widerface').model)
    return shake(model)


@pytest.mark.parametrize('make_layer', LAYERS)
@pytest.mark.parametrize('size', [(20, 23), (5, 6), (1, 1)])
@torch.no_grad()
def test_layer_is_equal(make_layer, size):
    layer = shake(make_layer())
    x = torch.randn(2, layer.gate.fc2.out_features, *size)
    before = layer(x)
    num_norms = sum(isinstance(module, nn.BatchNorm2d) for module in layer.modules())
    switch_to_deploy(layer)
    torch.testing.assert_close(layer(x), before, atol=1e-5, rtol=1e-5)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in layer.modules()) < num_norms
    torch.testing.assert_close(switch_to_deploy(layer)(x), before, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('name', NETS)
@torch.no_grad()
def test_network_is_equal(name):
    model = build(name)
    x = torch.rand(2, 3, 160, 192)
    before = model.bbox_head.head_module.forward_logits(model.extract_feat(x))
    switch_to_deploy(switch_to_deploy(model))  # the second time nothing is left to do
    after = model.bbox_head.head_module.forward_logits(model.extract_feat(x))
    for level, expected in zip(sum(after, []), sum(before, [])):
        scale = expected.abs().max().clamp(min=1)
        torch.testing.assert_close(level / scale, expected / scale, atol=1e-4, rtol=0)


@torch.no_grad()
def test_concatenations_and_splits_are_gone():
    model = build('yolo11_n')
    x = torch.rand(1, 3, 64, 64)

    def count():
        with torch.profiler.profile() as profile:
            model.extract_feat(x)
        return sum(event.count for event in profile.key_averages() if event.key in ('aten::cat', 'aten::split'))

    before = count()
    switch_to_deploy(model)
    # SPPF's, which is the host's
    assert (before, count()) == (18, 1)


def test_everything_that_can_be_folded_is():
    model = switch_to_deploy(build('yolo11_n_multiseam'))
    norms = [name for name, module in model.named_modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    # Behind an activation, before zero padding or a sum: these two of each body are no convolution's.
    assert norms and all(name.endswith(('patch_embed.bn', 'depthwise.bn')) for name in norms)


@pytest.mark.parametrize('name', ['yolo11_n_seam', 'yolo11_n_multiseam', 'yolo11_s_multiseam', 'yolo11_n'])
@torch.no_grad()
def test_branches_of_one_kind_lie_side_by_side(name):
    head = build(name).bbox_head.head_module
    levels = [torch.rand(2, channels, 12, 16) for channels in head.in_channels]
    before = head(levels)
    switch_to_deploy(head)
    for after, expected in zip(sum(head(levels), []), sum(before, [])):
        torch.testing.assert_close(after, expected, atol=1e-4, rtol=1e-4)
    if name == 'yolo11_s_multiseam':  # the branches of s differ in width
        assert all(isinstance(branch[-1], GatedPredictor) for branch in (*head.cls_preds, *head.reg_preds))
    elif name != 'yolo11_n':
        assert len(head.branch_pairs) == 3 and not head.cls_preds


@pytest.mark.parametrize(('change', 'serves'), [
    (lambda branch: None, True),
    (lambda branch: branch.insert(0, nn.Identity()), False),
    (lambda branch: setattr(branch[0], 'conv', nn.Conv2d(8, 16, 5, padding=2, bias=False)), False),
    (lambda branch: branch.__setitem__(0, ConvModule(8, 16, 3, padding=1, groups=2, norm_cfg=dict(type='BN'))), False),
    (lambda branch: branch.__setitem__(1, SEAM(16, depth=2)), False),
    (lambda branch: branch.__setitem__(1, nn.Identity()), False),
    (lambda branch: branch.__setitem__(2, nn.Conv2d(16, 3, 1)), True),
])
def test_branches_that_can_be_paired(change, serves):
    first, second = (nn.Sequential(ConvModule(8, 16, 3, padding=1, norm_cfg=dict(type='BN')), SEAM(16),
                                   nn.Conv2d(16, 64, 1)) for _ in range(2))
    change(second)
    assert PairedBranches.is_supported((first, second)) == serves


@torch.no_grad()
def test_branches_with_unknown_layers_stay_apart():
    cfg = load_config('yolo11_n_seam_syncbn_fast_8xb16-250e_widerface').model.bbox_head.head_module
    head = shake(MODELS.build(dict(cfg, attention_cfg=dict(norm_cfg=dict(type='GN', num_groups=2)))))
    levels = [torch.rand(1, channels, 12, 16) for channels in head.in_channels]
    before = head(levels)
    for after, expected in zip(sum(switch_to_deploy(head)(levels), []), sum(before, [])):
        torch.testing.assert_close(after, expected, atol=1e-4, rtol=1e-4)
    assert not head.branch_pairs


def test_activations_copy_nothing_in_training_and_nothing_in_inference():
    def in_place(model):
        return {module.inplace for module in model.modules() if isinstance(module, nn.SiLU)}

    model = build('yolo11_n_multiseam')
    assert in_place(model) == {False}  # in place, autograd would keep a copy of the input
    assert in_place(switch_to_deploy(model)) == {True}
    before = nn.Sequential(ConvModule(4, 4, 1, act_cfg=dict(type='ReLU'), order=('act', 'conv', 'norm')))
    before[0].activate.inplace = False
    x = torch.tensor([-1.]).expand(1, 4, 2, 2).clone()
    with torch.no_grad():
        switch_to_deploy(before)(x)
    assert (x == -1).all()


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('memory_format', [torch.channels_last, torch.contiguous_format])
@torch.no_grad()
def test_pointwise_convolution_as_product(bias, memory_format):
    conv = nn.Conv2d(7, 12, 1, bias=bias)
    x = torch.randn(2, 7, 5, 6).to(memory_format=memory_format)
    total = torch.randn(2, 12, 5, 6).to(memory_format=memory_format)
    product = PointwiseConv(conv)
    with torch.profiler.profile() as profile:
        y = product(x)
    kinds = {event.key for event in profile.key_averages()}
    assert ('aten::conv2d' in kinds) == (memory_format == torch.contiguous_format)
    torch.testing.assert_close(y, conv(x))
    assert y.is_contiguous(memory_format=memory_format)
    if not bias:
        expected = total + conv(x)
        assert product.add_to(total, x) is total
        torch.testing.assert_close(total, expected)


@pytest.mark.parametrize('missing', ['is_compiling', 'compiler'])
def test_pointwise_convolution_where_nobody_can_ask_for_compilation(monkeypatch, missing):
    """PyTorch 2.1 and 2.2 have ``torch.compiler`` without ``is_compiling``, 2.0 has neither."""
    conv, x = nn.Conv2d(7, 12, 1), torch.randn(2, 7, 5, 6).to(memory_format=torch.channels_last)
    expected = conv(x)
    monkeypatch.delattr(torch.compiler if missing == 'is_compiling' else torch, missing)
    torch.testing.assert_close(PointwiseConv(conv)(x), expected)


def test_pointwise_convolution_is_recorded_as_one():
    conv = PointwiseConv(nn.Conv2d(7, 12, 1))
    x = torch.randn(2, 7, 5, 6).to(memory_format=torch.channels_last)
    exported = torch.export.export(conv, (x, ))
    assert 'aten.conv2d.default' in {str(node.target) for node in exported.graph.nodes}
    assert 'aten::_convolution' in str(torch.jit.trace(conv, x).inlined_graph)


def test_other_convolutions_are_none_of_its_business():
    others = [nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 1, stride=2), nn.Conv2d(8, 8, 1, groups=2),
              nn.Conv2d(8, 8, 1, padding=1), nn.Linear(8, 8)]
    assert [PointwiseConv.is_supported(other) for other in (nn.Conv2d(8, 8, 1), *others)] == [True] + [False] * 5


@pytest.mark.parametrize('make_layer', LAYERS)
@torch.no_grad()
def test_folding_of_the_host_leaves_the_attention_right(make_layer):
    layer = shake(make_layer())
    x = torch.randn(1, layer.gate.fc2.out_features, 16, 16)
    torch.testing.assert_close(fuse_conv_bn(copy.deepcopy(layer))(x), layer(x))


@torch.no_grad()
def test_other_normalization_is_kept():
    layer = shake(SEAM(16, norm_cfg=dict(type='GN', num_groups=2)))
    x = torch.randn(1, 16, 9, 9)
    before = layer(x)
    torch.testing.assert_close(switch_to_deploy(layer)(x), before)


@pytest.mark.parametrize('make_layer', LAYERS)
@torch.no_grad()
def test_symbolic_sizes_serve_all_sizes(make_layer):
    layer = switch_to_deploy(shake(make_layer()))
    channels = layer.gate.fc2.out_features
    sizes = {0: torch.export.Dim('batch', min=1), 2: torch.export.Dim('height', min=2),
             3: torch.export.Dim('width', min=2)}
    exported = torch.export.export(layer, (torch.randn(2, channels, 20, 24),), dynamic_shapes=(sizes,)).module()
    for shape in ((1, channels, 2, 2), (2, channels, 5, 6), (3, channels, 7, 3), (1, channels, 20, 31)):
        x = torch.randn(shape)
        torch.testing.assert_close(exported(x), layer(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('make_layer', LAYERS)
@torch.no_grad()
def test_trace_is_equal(make_layer):
    layer = switch_to_deploy(shake(make_layer()))
    x = torch.randn(1, layer.gate.fc2.out_features, 5, 20)
    torch.testing.assert_close(torch.jit.trace(layer, x)(x), layer(x))
