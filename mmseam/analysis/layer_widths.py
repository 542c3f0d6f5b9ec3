"""Whether the parts of a detector take each other's feature maps: they run on PyTorch's meta device."""
import copy
from functools import partial
from typing import Any, Iterator, List, Sequence, Tuple, Union

import torch
from mmengine.config import ConfigDict
from torch import Tensor
from torch.nn.modules.conv import _ConvNd

from mmseam.registry import MODELS

_SETTINGS = ('in_channels', 'out_channels', 'last_stage_out_channels', 'out_indices', 'widen_factor')
_SIDE = 256  # pixels of the image


class _OtherMapsError(Exception):
    """A part gets maps that it does not take; the message says which."""


def check_widths(model: ConfigDict) -> Iterator[str]:
    """Run backbone, neck and head one after the other on the meta device, where nothing is allocated or computed.

    Args:
        model (:obj:`ConfigDict`): A detector's config; what follows a part that cannot run there is passed over.

    Yields:
        str: One text for the first part that does not take the maps of the one before it.
    """
    giver, maps = 'the image', torch.empty(1, 3, _SIDE, _SIDE, device='meta')
    for key, cfg in _parts(model):
        try:
            outputs = _run(cfg, maps)
        except _OtherMapsError as error:
            widths = '/'.join(str(each.size(1)) for each in maps)
            yield (f'{giver} puts out {widths} channels, but {_named(key, cfg)} {error}; make {key}.in_channels and '
                   'the widen_factor of all parts agree')
            return
        except Exception:  # whatever else is wrong has other reasons, which the training itself names best
            return
        giver, maps = _named(key, cfg), outputs


def _parts(model: ConfigDict) -> List[Tuple[str, ConfigDict]]:
    """Key and config of each part, in the order in which the maps go through them."""
    neck, head_name = model.get('neck'), 'bbox_head' if 'bbox_head' in model else 'rpn_head'
    parts = [('model.backbone', model.get('backbone'))]
    if isinstance(neck, (list, tuple)):
        parts += [(f'model.neck.{place}', layer) for place, layer in enumerate(neck)]
    else:
        parts.append(('model.neck', neck))
    head = model.get(head_name) or {}
    if head.get('head_module'):
        parts.append((f'model.{head_name}.head_module', head['head_module']))
    else:
        parts.append((f'model.{head_name}', head))
    return [(key, cfg) for key, cfg in parts if cfg]


@torch.no_grad()
def _run(cfg: ConfigDict, maps: Union[Tensor, Sequence[Tensor]]) -> Sequence[Tensor]:
    expected = cfg.get('in_channels')
    if isinstance(expected, (list, tuple)) and len(expected) != len(maps):
        raise _OtherMapsError(f'takes {len(expected)} maps, not {len(maps)}')
    with torch.device('meta'):
        part = MODELS.build(copy.deepcopy(cfg))
        part.eval()  # normalizes without looking at the maps
        for name, module in part.named_modules():
            if isinstance(module, _ConvNd):
                module.register_forward_pre_hook(partial(_check_input, name))
        return part(maps)


def _check_input(name: str, conv: _ConvNd, inputs: Tuple[Any, ...]) -> None:
    if inputs[0].size(1) != conv.in_channels:
        raise _OtherMapsError(f'takes others: {conv.in_channels} instead of {inputs[0].size(1)} at its layer {name}')


def _named(key: str, cfg: ConfigDict) -> str:
    """Write a part with the settings that decide its widths."""
    settings = ', '.join(f'{name}={cfg[name]}' for name in _SETTINGS if name in cfg)
    return f'{key} ({settings})' if settings else key
