"""Names of parameters."""
import numpy as np
import pytest
import torch
from conversion_cases import build, yolo11_config, yolo11_shapes

from mmseam.convert.yolo11_keys import article_attention_key, article_head_key, map_yolo11_keys
from mmseam.models import MultiSEAMHeadModule, SEAMHeadModule

# Parameters of plain YOLO11 with 80 classes, the 16 fixed numbers of the DFL included.
PUBLISHED = dict(n=2_624_080, s=9_458_752, m=20_114_688, l=25_372_160, x=56_966_176)


@pytest.mark.parametrize('size', 'nsmlx')
def test_whole_network_of_every_size(size):
    shapes = yolo11_shapes(size, 80)
    learned = [shape for name, shape in shapes.items() if not name.endswith(('mean', 'var', 'tracked'))]
    assert sum(int(np.prod(shape)) for shape in learned) == PUBLISHED[size]  # the test's own list is right
    mapped = map_yolo11_keys(shapes)
    assert [name for name, target in mapped.items() if target is None] == ['model.23.dfl.conv.weight']
    with torch.device('meta'):
        model = build(yolo11_config(size, 80))
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert {target: shapes[name] for name, target in mapped.items() if target} == expected


@pytest.mark.parametrize(('source', 'target'), [
    ('model.9.cv2.conv.weight', 'backbone.stage4.2.conv2.conv.weight'),
    ('model.10.cv2.bn.bias', 'backbone.stage4.3.final_conv.bn.bias'),
    ('model.10.m.1.ffn.1.conv.weight', 'backbone.stage4.3.blocks.1.ffn.1.conv.weight'),
    ('model.2.m.0.cv2.conv.weight', 'backbone.stage1.1.blocks.0.conv2.conv.weight'),
    ('model.6.m.0.cv2.conv.weight', 'backbone.stage3.1.blocks.0.short_conv.conv.weight'),
    ('model.6.m.0.m.1.cv2.conv.weight', 'backbone.stage3.1.blocks.0.blocks.1.conv2.conv.weight'),
    ('model.16.cv1.conv.weight', 'neck.top_down_layers.1.main_conv.conv.weight'),
    ('model.23.cv2.1.2.bias', 'bbox_head.head_module.reg_preds.1.2.bias'),
    ('model.23.cv3.2.1.1.conv.weight', 'bbox_head.head_module.cls_preds.2.1.pointwise_conv.conv.weight'),
    ('model.23.cv4.0.0.conv.weight', None),
    ('model.23.proto.cv1.conv.weight', None),
    ('model.23.one2one_cv2.0.0.conv.weight', None),
    ('model.22.m.0.1.attn.qkv.conv.weight', None),
    ('model.11.weight', None),
    ('model.24.cv1.conv.weight', None),
])
def test_parts(source, target):
    # The layers whose kind decides about other names: model.6.m.0 is a C3k, model.2.m.0 is not.
    assert map_yolo11_keys([source, 'model.6.m.0.cv3.conv.weight'])[source] == target


@pytest.mark.parametrize(('source', 'target'), [
    ('DCovN.1.0.fn.0.weight', 'body.1.depthwise.conv.weight'),
    ('DCovN.0.0.fn.2.running_var', 'body.0.depthwise.bn.running_var'),
    ('DCovN.0.1.bias', 'body.0.pointwise.conv.bias'),
    ('DCovN.2.3.weight', 'body.2.pointwise.bn.weight'),
    ('DCovN1.0.weight', 'bodies.1.patch_embed.conv.weight'),
    ('DCovN2.2.running_mean', 'bodies.2.patch_embed.bn.running_mean'),
    ('DCovN0.3.0.fn.0.bias', 'bodies.0.blocks.0.depthwise.conv.bias'),
    ('DCovN0.5.0.fn.2.weight', 'bodies.0.blocks.2.depthwise.bn.weight'),
    ('DCovN1.4.1.weight', 'bodies.1.blocks.1.pointwise.conv.weight'),
    ('DCovN1.3.3.num_batches_tracked', 'bodies.1.blocks.0.pointwise.bn.num_batches_tracked'),
    ('fc.0.weight', 'gate.fc1.weight'),
    ('fc.2.weight', 'gate.fc2.weight'),
    ('conv.weight', None),
    ('DCovN.0.2.weight', None),
    ('fc.1.weight', None),
])
def test_attention(source, target):
    assert article_attention_key(source) == target


@pytest.mark.parametrize(('source', 'target'), [
    ('cv2.0.0.conv.weight', 'reg_preds.0.0.conv.weight'),
    ('cv2.1.1.fc.0.weight', 'reg_preds.1.1.gate.fc1.weight'),
    ('cv3.2.1.DCovN.0.1.bias', 'cls_preds.2.1.body.0.pointwise.conv.bias'),
    ('cv3.2.2.bias', 'cls_preds.2.2.bias'),
    ('dfl.conv.weight', None),
    ('cv4.0.2.bias', None),
])
def test_article_head(source, target):
    assert article_head_key(source) == target


@pytest.mark.parametrize(('head', 'module_class'), [('seam', SEAMHeadModule), ('multiseam', MultiSEAMHeadModule)])
def test_article_head_covers_ours(test_data, head, module_class):
    prefix = f'{head}/sd/'
    with np.load(test_data / 'golden' / 'seam_heads.npz') as golden:
        article = {name[len(prefix):]: golden[name].shape for name in golden.files if name.startswith(prefix)}
    module = module_class(num_classes=3, in_channels=[32, 64, 128], widen_factor=1.0, reg_max=16)
    mapped = {article_head_key(name): shape for name, shape in article.items()}
    assert mapped == {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def test_article_head_inside_a_network():
    sources = ['model.23.cv3.0.0.conv.weight', 'model.23.cv3.0.1.DCovN0.0.weight', 'model.23.cv2.0.1.fc.0.weight']
    assert list(map_yolo11_keys(sources).values()) == [
        'bbox_head.head_module.cls_preds.0.0.conv.weight',
        'bbox_head.head_module.cls_preds.0.1.bodies.0.patch_embed.conv.weight',
        'bbox_head.head_module.reg_preds.0.1.gate.fc1.weight',
    ]
