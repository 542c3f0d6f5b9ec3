"""Two modules of the same build as one that works on the channels of both, for inference."""
import copy

import torch
import torch.nn as nn
from torch.nn.modules.batchnorm import _BatchNorm

_JOINED = (nn.Conv2d, nn.Linear, _BatchNorm)


def can_join(module: nn.Module) -> bool:
    """Whether :func:`side_by_side` knows all layers of a module that have parameters."""
    return all(isinstance(layer, _JOINED) or not list(layer.parameters(recurse=False)) for layer in module.modules())


@torch.no_grad()
def side_by_side(first: nn.Module, second: nn.Module, same_input: bool = False) -> nn.Module:
    """Join two modules into one with half the operations: grouped convolutions instead of two each.

    What counts on small maps is the number of operations, not their size. Whatever is done between the layers must
    treat every channel for itself.

    Args:
        first (nn.Module): Module for which :func:`can_join` holds.
        second (nn.Module): Another one of the same build, whose weights alone differ.
        same_input (bool): Both see the same map, and are one ungrouped convolution each with what follows it.
            Defaults to False: each sees its half of the channels.

    Returns:
        nn.Module: In evaluation mode, ``(B, C or 2C, H, W)`` to ``(B, 2C', H, W)``, the first module's channels first.
    """
    if isinstance(first, nn.Conv2d):
        return _join_convs(first, second, same_input)
    if isinstance(first, nn.Linear):
        return _join_linears(first, second)
    if isinstance(first, _BatchNorm):
        return _join_norms(first, second)
    joined = copy.copy(first)
    joined._modules = {name: side_by_side(child, getattr(second, name), same_input)
                       for name, child in first.named_children()}
    return joined.eval()


def _join_convs(first: nn.Conv2d, second: nn.Conv2d, same_input: bool) -> nn.Conv2d:
    parts = 1 if same_input else 2
    joined = nn.Conv2d(parts * first.in_channels, 2 * first.out_channels, first.kernel_size, first.stride,
                       first.padding, first.dilation, parts * first.groups, first.bias is not None)
    return _fill(joined, first, second, ('weight', 'bias'))


def _join_linears(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    joined = nn.Linear(2 * first.in_features, 2 * first.out_features, first.bias is not None)
    _fill(joined, first, second, ('bias', ))
    joined.weight = nn.Parameter(torch.block_diag(first.weight, second.weight))
    return joined


def _join_norms(first: _BatchNorm, second: _BatchNorm) -> nn.BatchNorm2d:
    joined = nn.BatchNorm2d(2 * first.num_features, first.eps, first.momentum)
    return _fill(joined, first, second, ('weight', 'bias', 'running_mean', 'running_var')).eval()


def _fill(joined: nn.Module, first: nn.Module, second: nn.Module, names: tuple) -> nn.Module:
    """Set tensors to those of both modules, one after the other."""
    for name in names:
        tensor = getattr(first, name)
        if tensor is not None:
            getattr(joined, name).data = torch.cat([tensor.detach(), getattr(second, name).detach()])
    return joined
