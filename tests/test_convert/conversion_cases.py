"""Checkpoints to convert, written as Ultralytics writes them, and configs of the nets that take them."""
import re
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import Dict, Iterator, Sequence, Tuple

import torch
import torch.nn as nn
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmseam.convert.yolo11_keys import YOLO11_LAYERS
from mmseam.registry import MODELS

# Deepen factor, widen factor and the cap of the channels, which applies before widening.
SIZES = dict(n=(0.5, 0.25, 1024), s=(0.5, 0.5, 1024), m=(0.5, 1.0, 512), l=(1.0, 1.0, 512), x=(1.0, 1.5, 512))
LAYERS = (*YOLO11_LAYERS, 'Detect')
Shapes = Dict[str, Tuple[int, ...]]


def yolo11_config(size: str, num_classes: int, head: str = 'mmseam.YOLO11HeadModule', **head_options) -> Config:
    """Config of a YOLO11 detector with the given head module."""
    deepen_factor, widen_factor, last = SIZES[size]
    scale = dict(deepen_factor=deepen_factor, widen_factor=widen_factor, all_c3k=size in 'mlx')
    channels = [256, 512, last]
    return Config(dict(model=dict(
        type='YOLODetector',
        data_preprocessor=dict(type='YOLOv5DetDataPreprocessor'),
        backbone=dict(type='mmseam.YOLO11CSPDarknet', last_stage_out_channels=last, **scale),
        neck=dict(type='mmseam.YOLO11PAFPN', in_channels=[512, 512, last], out_channels=channels, **scale),
        bbox_head=dict(
            type='YOLOv8Head',
            head_module=dict(
                type=head, num_classes=num_classes, in_channels=channels, widen_factor=widen_factor, **head_options)))))


def build(config: Config) -> nn.Module:
    """Build the detector of a config."""
    with DefaultScope.overwrite_default_scope('mmyolo'):
        return MODELS.build(config.model)


def _norm(name: str, channels: int) -> Shapes:
    vectors = {f'{name}.{part}': (channels, ) for part in ('weight', 'bias', 'running_mean', 'running_var')}
    return {**vectors, f'{name}.num_batches_tracked': ()}


def _conv(name: str, in_channels: int, out_channels: int, kernel: int = 1) -> Shapes:
    return {f'{name}.conv.weight': (out_channels, in_channels, kernel, kernel), **_norm(f'{name}.bn', out_channels)}


def _bottlenecks(name: str, channels: int, hidden: int, count: int) -> Shapes:
    shapes: Shapes = {}
    for index in range(count):
        shapes.update(_conv(f'{name}.{index}.cv1', channels, hidden, 3))
        shapes.update(_conv(f'{name}.{index}.cv2', hidden, channels, 3))
    return shapes


def _c3k2(name: str, in_channels: int, out_channels: int, blocks: int, c3k: bool, expansion: float) -> Shapes:
    half = int(out_channels * expansion)
    shapes = {**_conv(f'{name}.cv1', in_channels, 2 * half), **_conv(f'{name}.cv2', (2 + blocks) * half, out_channels)}
    if not c3k:
        return {**shapes, **_bottlenecks(f'{name}.m', half, half // 2, blocks)}
    for index in range(blocks):
        block, inner = f'{name}.m.{index}', half // 2
        for part, channels, width in (('cv1', half, inner), ('cv2', half, inner), ('cv3', 2 * inner, half)):
            shapes.update(_conv(f'{block}.{part}', channels, width))
        shapes.update(_bottlenecks(f'{block}.m', inner, inner, 2))
    return shapes


def _c2psa(name: str, channels: int, blocks: int) -> Shapes:
    half = channels // 2
    shapes = {**_conv(f'{name}.cv1', channels, channels), **_conv(f'{name}.cv2', channels, channels)}
    for index in range(blocks):
        block = f'{name}.m.{index}'
        shapes.update(_conv(f'{block}.attn.qkv', half, 2 * half))
        shapes.update(_conv(f'{block}.attn.proj', half, half))
        shapes.update(_conv(f'{block}.attn.pe', 1, half, 3))
        shapes.update(_conv(f'{block}.ffn.0', half, 2 * half))
        shapes.update(_conv(f'{block}.ffn.1', 2 * half, half))
    return shapes


def _head(channels: Sequence[int], num_classes: int) -> Shapes:
    box, cls = max(16, channels[0] // 4, 64), max(channels[0], min(num_classes, 100))
    shapes: Shapes = {'model.23.dfl.conv.weight': (1, 16, 1, 1)}
    for level, width in enumerate(channels):
        box_branch, cls_branch = f'model.23.cv2.{level}', f'model.23.cv3.{level}'
        shapes.update({**_conv(f'{box_branch}.0', width, box, 3), **_conv(f'{box_branch}.1', box, box, 3)})
        for index, inner in enumerate((width, cls)):
            shapes.update(_conv(f'{cls_branch}.{index}.0', 1, inner, 3))
            shapes.update(_conv(f'{cls_branch}.{index}.1', inner, cls))
        for branch, inner, outputs in ((box_branch, box, 64), (cls_branch, cls, num_classes)):
            shapes.update({f'{branch}.2.weight': (outputs, inner, 1, 1), f'{branch}.2.bias': (outputs, )})
    return shapes


def yolo11_shapes(size: str, num_classes: int) -> Shapes:
    """Names and shapes of all tensors of Ultralytics' YOLO11, from its published description."""
    depth, width, cap = SIZES[size]
    blocks, deep = int(2 * depth), size in 'mlx'
    c64, c128, c256, c512, c1024 = (int(min(c, cap) * width) for c in (64, 128, 256, 512, 1024))
    shapes: Shapes = {}
    for layer, inputs, outputs in ((0, 3, c64), (1, c64, c128), (3, c256, c256), (5, c512, c512), (7, c512, c1024),
                                   (17, c256, c256), (20, c512, c512)):
        shapes.update(_conv(f'model.{layer}', inputs, outputs, 3))
    for layer, inputs, outputs, c3k, expansion in (
        (2, c128, c256, deep, 0.25), (4, c256, c512, deep, 0.25), (6, c512, c512, True, 0.5),
        (8, c1024, c1024, True, 0.5), (13, c1024 + c512, c512, deep, 0.5), (16, c512 + c512, c256, deep, 0.5),
        (19, c256 + c512, c512, deep, 0.5), (22, c512 + c1024, c1024, True, 0.5)):
        shapes.update(_c3k2(f'model.{layer}', inputs, outputs, blocks, c3k, expansion))
    shapes.update(_conv('model.9.cv1', c1024, c1024 // 2))
    shapes.update(_conv('model.9.cv2', 2 * c1024, c1024))
    shapes.update(_c2psa('model.10', c1024, blocks))
    return {**shapes, **_head((c256, c512, c1024), num_classes)}


def _seam(name: str, channels: int) -> Shapes:
    squeezed, body = channels // 16, f'{name}.DCovN'
    shapes: Shapes = {f'{name}.fc.0.weight': (squeezed, channels), f'{name}.fc.2.weight': (channels, squeezed)}
    for conv, norm, inputs, kernel in (('0.0.fn.0', '0.0.fn.2', 1, 3), ('0.1', '0.3', channels, 1)):
        shapes[f'{body}.{conv}.weight'] = (channels, inputs, kernel, kernel)
        shapes[f'{body}.{conv}.bias'] = (channels, )
        shapes.update(_norm(f'{body}.{norm}', channels))
    return shapes


def with_seam_head(shapes: Shapes, channels: Sequence[int]) -> Shapes:
    """Replace the stems of YOLO11's head by those of the article's ``Detect_SEAM``."""
    shapes = {name: shape for name, shape in shapes.items() if not re.match(r'model\.23\.cv[23]\.\d\.[01]\.', name)}
    for level, inputs in enumerate(channels):
        for branch in ('cv2', 'cv3'):
            width = shapes[f'model.23.{branch}.{level}.2.weight'][1]
            shapes.update(_conv(f'model.23.{branch}.{level}.0', inputs, width, 3))
            shapes.update(_seam(f'model.23.{branch}.{level}.1', width))
    return shapes


def random_tensors(shapes: Shapes) -> Dict[str, torch.Tensor]:
    """Half-precision values, as released checkpoints have; counters stay integers."""
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(shape, generator=generator).half() if shape else torch.tensor(3)
            for name, shape in shapes.items()}


def foreign_class(name: str, module: str = 'ultralytics.nn.modules.block') -> type:
    """Make a torch module class that claims to come from Ultralytics; call it inside :func:`foreign_package`."""
    if not hasattr(sys.modules[module], name):
        setattr(sys.modules[module], name, type(name, (nn.Module, ), {'__module__': module, '__qualname__': name}))
    return getattr(sys.modules[module], name)


@contextmanager
def foreign_package() -> Iterator[None]:
    """Make the names of Ultralytics importable while a checkpoint is written."""
    names = ['ultralytics', 'ultralytics.nn', 'ultralytics.nn.tasks', 'ultralytics.nn.modules',
             'ultralytics.nn.modules.block']
    assert not any(name in sys.modules for name in names)
    sys.modules.update({name: ModuleType(name) for name in names})
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def _fill(module: nn.Module, name: str, tensor: torch.Tensor) -> None:
    first, _, rest = name.partition('.')
    if rest:
        if first not in module._modules:
            module.add_module(first, nn.Module())
        _fill(module._modules[first], rest, tensor)
    elif first.startswith('running_') or first == 'num_batches_tracked':
        module.register_buffer(first, tensor)
    else:
        module.register_parameter(first, nn.Parameter(tensor))


def foreign_model(tensors: Dict[str, torch.Tensor], layers: Sequence[str] = LAYERS,
                  names: Sequence[str] = ('face', ), kind: str = 'DetectionModel') -> nn.Module:
    """Model tree with the given tensors and layer classes, as Ultralytics pickles it."""
    model = foreign_class(kind, 'ultralytics.nn.tasks')()
    model.model = nn.Sequential(*[foreign_class(layer)() for layer in layers])
    for name, tensor in tensors.items():
        _fill(model, name, tensor)
    model.names = dict(enumerate(names))
    model.stride = torch.tensor([8., 16., 32.])
    return model


def write_checkpoint(path, tensors: Dict[str, torch.Tensor], **options) -> None:
    """Write a finished checkpoint."""
    with foreign_package():
        torch.save(dict(model=foreign_model(tensors, **options), ema=None, version='8.3.0', epoch=-1), path)
