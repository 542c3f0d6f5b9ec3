"""C3k2 and C2PSA against plain references."""
import pytest
import torch

from mmseam.models import C2PSA, C3k2


def randomized(layer):
    for module in layer.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -.5, .5)
            torch.nn.init.uniform_(module.running_var, .5, 2)
    return layer.eval()


# Counts of YOLO11n's layers as published (layers 2, 4, 6 and 22).
@pytest.mark.parametrize('arguments, count', [
    (dict(in_channels=32, out_channels=64, expand_ratio=.25), 6640),
    (dict(in_channels=64, out_channels=128, expand_ratio=.25), 26080),
    (dict(in_channels=128, out_channels=128, use_c3k=True), 87040),
    (dict(in_channels=384, out_channels=256, use_c3k=True), 378880),
])
def test_c3k2_parameters(arguments, count):
    assert sum(p.numel() for p in C3k2(**arguments).parameters()) == count


@torch.no_grad()
def test_psa_attention_equals_a_loop_over_heads():
    layer = randomized(C2PSA(256)).blocks[0].attn
    x = torch.randn(2, 128, 3, 5)
    qkv = layer.qkv(x).flatten(2)
    answers = []
    for head in range(2):
        q, k, v = qkv[:, head * 128:(head + 1) * 128].split((32, 32, 64), 1)
        weight = torch.softmax(q.transpose(1, 2) @ k * 32**-.5, -1)
        answers.append(torch.stack([v[b] @ weight[b].T for b in range(2)]))
    values = torch.cat([qkv[:, 64:128], qkv[:, 192:]], 1).reshape(x.shape)
    expected = layer.proj(torch.cat(answers, 1).reshape(x.shape) + layer.pe(values))
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize('channels, heads', [(64, 1), (256, 2), (768, 6)])
def test_c2psa_heads_and_shape(channels, heads):
    layer = C2PSA(channels, num_blocks=2).eval()
    assert [block.attn.num_heads for block in layer.blocks] == [heads] * 2
    assert layer(torch.randn(1, channels, 2, 3)).shape == (1, channels, 2, 3)
