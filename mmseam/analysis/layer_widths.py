"""Check that the channel widths of a detector's parts agree, by running them on PyTorch's meta device."""
import copy
from functools import partial
from typing import Any, Iterator, List, Sequence, Tuple, Union

import torch
from mmengine.config import ConfigDict
from torch import Tensor
from torch.nn.modules.conv import _ConvNd

from mmseam.registry import MODELS

_SETTINGS = ('in_channels', 'out_channels', 'last_stage_out_channels', 'out_indices', 'widen_factor')
_IMAGE_SIZE = 256  # pixels


class _WidthError(Exception):
    """A part gets feature maps that it does not expect."""


def check_widths(model: ConfigDict) -> Iterator[str]:
    """Run backbone, neck and head in sequence on the meta device, which neither allocates nor computes anything.

    Args:
        model (:obj:`ConfigDict`): A detector's config; parts after one that cannot run there are not checked.

    Yields:
        str: A message for the first part that does not expect the feature maps of the previous one.
    """
    previous, maps = 'the image', torch.empty(1, 3, _IMAGE_SIZE, _IMAGE_SIZE, device='meta')
    for key, cfg in _parts(model):
        try:
            outputs = _run(cfg, maps)
        except _WidthError as error:
            widths = '/'.join(str(each.size(1)) for each in maps)
            yield (f'{previous} outputs {widths} channels, but {_describe(key, cfg)} {error}; make {key}.in_channels '
                   'and the widen_factor of all parts agree')
            return
        except Exception:  # not a problem of widths; the training reports it better
            return
        previous, maps = _describe(key, cfg), outputs


def _parts(model: ConfigDict) -> List[Tuple[str, ConfigDict]]:
    """Return key and config of each part, in the order of the forward pass."""
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
        raise _WidthError(f'expects {len(expected)} feature maps, not {len(maps)}')
    with torch.device('meta'):
        part = MODELS.build(copy.deepcopy(cfg))
        part.eval()  # normalization layers need no statistics of the maps then
        for name, module in part.named_modules():
            if isinstance(module, _ConvNd):
                module.register_forward_pre_hook(partial(_check_input, name))
        return part(maps)


def _check_input(name: str, conv: _ConvNd, inputs: Tuple[Any, ...]) -> None:
    if inputs[0].size(1) != conv.in_channels:
        raise _WidthError(f'expects {conv.in_channels} instead of {inputs[0].size(1)} at its layer {name}')


def _describe(key: str, cfg: ConfigDict) -> str:
    """Format a part with the settings that determine its widths."""
    settings = ', '.join(f'{name}={cfg[name]}' for name in _SETTINGS if name in cfg)
    return f'{key} ({settings})' if settings else key
