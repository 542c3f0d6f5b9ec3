"""Join two modules of the same architecture into one on the channels of both, for inference only."""
import copy

import torch
import torch.nn as nn
from torch.nn.modules.batchnorm import _BatchNorm

_JOINED = (nn.Conv2d, nn.Linear, _BatchNorm)


def can_join(module: nn.Module) -> bool:
    """Whether :func:`join_modules` supports all layers of a module that have parameters."""
    return all(isinstance(layer, _JOINED) or not list(layer.parameters(recurse=False)) for layer in module.modules())


@torch.no_grad()
def join_modules(first: nn.Module, second: nn.Module, same_input: bool = False) -> nn.Module:
    """Join two modules into one with half as many operations: one grouped convolution instead of two.

    On small maps the number of operations counts, not their size. Layers without parameters in between must treat each
    channel independently.

    Args:
        first (nn.Module): Module for which :func:`can_join` holds.
        second (nn.Module): A module of the same architecture with other weights.
        same_input (bool): Both take the same map, and each is one ungrouped convolution with the layers behind it.
            Defaults to False: each takes its half of the channels.

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
    joined._modules = {name: join_modules(child, getattr(second, name), same_input)
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
