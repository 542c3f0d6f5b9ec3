"""Channels-last training: what changes its order in memory, and that nothing else changes."""
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.runner import get_priority
from torch import nn

from mmseam.engine.hooks import ChannelsLastHook


def is_channels_last(model):
    return model[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.Conv2d(8, 4, 3))


def test_weights_and_maps_change_their_order_and_nothing_else(network):
    x = torch.randn(2, 3, 12, 12)
    before = network(x)
    ChannelsLastHook().before_run(SimpleNamespace(model=network))
    after = network(x)
    assert is_channels_last(network)
    assert after.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(after, before)


def test_moving_average_follows(network):
    runner = SimpleNamespace(model=network)
    hooks = sorted([EMAHook(), ChannelsLastHook()], key=lambda hook: get_priority(hook.priority))
    for hook in hooks:
        hook.before_run(runner)
    assert is_channels_last(hooks[1].ema_model.module)
    assert get_priority(ChannelsLastHook.priority) < 49  # of the moving average in the schedules


def test_other_devices_are_left_alone(network):
    hook = ChannelsLastHook(device_types=['cuda'])
    hook.before_run(SimpleNamespace(model=network))
    hook.before_test(SimpleNamespace(model=network))
    assert not is_channels_last(network)


def test_a_wrapped_model_is_converted_for_testing_only(network):
    runner = SimpleNamespace(model=nn.DataParallel(network))  # a wrapper that needs no process group
    ChannelsLastHook().before_run(runner)
    assert not is_channels_last(network)
    ChannelsLastHook().before_test(runner)
    assert is_channels_last(network)
