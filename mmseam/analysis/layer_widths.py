"""Compare the channel widths between the parts of a YOLO11 config."""
from typing import Iterator, List, NamedTuple, Optional, Sequence

from mmengine.config import ConfigDict
from mmyolo.models.dense_heads import YOLOv8HeadModule
from mmyolo.models.utils import make_divisible

from mmseam.models import YOLO11PAFPN, AttentionNeck, YOLO11CSPDarknet
from mmseam.registry import MODELS


class _Part(NamedTuple):
    """A part of the detector: its key, and input and output channels per level, None if unknown."""
    key: str
    inputs: Optional[List[int]]
    outputs: Optional[List[int]]
    input_keys: str
    output_keys: str


def check_widths(model: ConfigDict) -> Iterator[str]:
    """Compare the output channels of each part of the detector with the input channels of the next.

    Args:
        model (:obj:`ConfigDict`): Config of the detector; parts that are not YOLO11's are skipped.

    Yields:
        str: One message per mismatch.
    """
    parts = _parts(model)
    for source, target in zip(parts, parts[1:]):
        if source.outputs and target.inputs and source.outputs != target.inputs:
            yield (f'{source.key} puts out {_join(source.outputs)} channels ({source.output_keys}), but {target.key} '
                   f'expects {_join(target.inputs)} ({target.input_keys}); make {target.key}.in_channels and the '
                   'widen_factor of all parts agree')


def _parts(model: ConfigDict) -> List[_Part]:
    backbone, neck, head = (model.get(name) or {} for name in ('backbone', 'neck', 'bbox_head'))
    parts = [_backbone(backbone)]
    if isinstance(neck, (list, tuple)):
        parts += [_neck(f'model.neck.{i}', layer) for i, layer in enumerate(neck)]
    else:
        parts.append(_neck('model.neck', neck))
    return [*parts, _head(head.get('head_module') or {})]


def _backbone(cfg: ConfigDict) -> _Part:
    outputs, keys = None, ''
    if _is_a(cfg, YOLO11CSPDarknet):
        kind = MODELS.get(cfg['type'])
        widths = [64, *(row[2] for row in kind.arch_settings[cfg.get('arch', 'P5')][:-1])]
        last = cfg.get('last_stage_out_channels', 1024)
        widths = _widen([*widths, last], cfg)
        outputs = [widths[i] for i in cfg.get('out_indices', (2, 3, 4))]
        keys = f'last_stage_out_channels={last}, widen_factor={cfg.get("widen_factor", 1.0)}'
    return _Part('model.backbone', None, outputs, '', keys)


def _neck(key: str, cfg: ConfigDict) -> _Part:
    if _is_a(cfg, YOLO11PAFPN):
        outputs = cfg['out_channels']
        outputs = [outputs] * len(cfg['in_channels']) if isinstance(outputs, int) else outputs
    elif _is_a(cfg, AttentionNeck):
        outputs = cfg['in_channels']
    else:
        return _Part(key, None, None, '', '')
    inputs = cfg['in_channels']
    output_name = 'out_channels' if 'out_channels' in cfg else 'in_channels'
    return _Part(key, _widen(inputs, cfg), _widen(outputs, cfg), _named(cfg, 'in_channels', inputs),
                 _named(cfg, output_name, outputs))


def _head(cfg: ConfigDict) -> _Part:
    inputs, keys = None, ''
    if _is_a(cfg, YOLOv8HeadModule) and not isinstance(cfg['in_channels'], int):
        inputs, keys = _widen(cfg['in_channels'], cfg), _named(cfg, 'in_channels', cfg['in_channels'])
    return _Part('model.bbox_head.head_module', inputs, None, keys, '')


def _is_a(cfg: ConfigDict, kind: type) -> bool:
    name = cfg.get('type')
    found = MODELS.get(name) if isinstance(name, str) else name
    return isinstance(found, type) and issubclass(found, kind)


def _widen(channels: Sequence[int], cfg: ConfigDict) -> List[int]:
    return [make_divisible(number, cfg.get('widen_factor', 1.0)) for number in channels]


def _named(cfg: ConfigDict, key: str, channels: Sequence[int]) -> str:
    return f'{key}={list(channels)}, widen_factor={cfg.get("widen_factor", 1.0)}'


def _join(channels: Sequence[int]) -> str:
    return '/'.join(map(str, channels))
