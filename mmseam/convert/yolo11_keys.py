"""Map parameter names of Ultralytics' YOLO11 and the published YOLO11 SEAM and MultiSEAM heads to mmseam's.

Pure functions on strings; they need neither files nor models.
"""
import re
from functools import partial
from typing import Callable, Container, Dict, Iterable, Optional

# Class names of the layers model.0 … model.22; the head, model.23, can be any with branches cv2 and cv3.
YOLO11_LAYERS = ('Conv', 'Conv', 'C3k2', 'Conv', 'C3k2', 'Conv', 'C3k2', 'Conv', 'C3k2', 'SPPF', 'C2PSA',
                 'Upsample', 'Concat', 'C3k2', 'Upsample', 'Concat', 'C3k2', 'Conv', 'Concat', 'C3k2', 'Conv',
                 'Concat', 'C3k2')
HEAD_PREFIX = f'model.{len(YOLO11_LAYERS)}.'

_LAYER_TARGETS = {
    0: 'backbone.stem', 1: 'backbone.stage1.0', 2: 'backbone.stage1.1', 3: 'backbone.stage2.0',
    4: 'backbone.stage2.1', 5: 'backbone.stage3.0', 6: 'backbone.stage3.1', 7: 'backbone.stage4.0',
    8: 'backbone.stage4.1', 9: 'backbone.stage4.2', 10: 'backbone.stage4.3', 13: 'neck.top_down_layers.0',
    16: 'neck.top_down_layers.1', 17: 'neck.downsample_layers.0', 19: 'neck.bottom_up_layers.0',
    20: 'neck.downsample_layers.1', 22: 'neck.bottom_up_layers.1',
}

_CONV = r'(conv|bn)\.\w+$'
_SPLIT = {'cv1': 'main_conv', 'cv2': 'final_conv'}  # C3k2 and C2PSA: 1×1 in, 1×1 out
_SERIAL = {'cv1': 'conv1', 'cv2': 'conv2'}  # bottleneck and SPPF: one convolution after the other
_C3K = {'cv1': 'main_conv', 'cv2': 'short_conv', 'cv3': 'final_conv'}
# Parts of a separable convolution and of a patch embedding in the published attention
_ATTENTION_PARTS = {
    '0': 'conv', '2': 'bn', '0.fn.0': 'depthwise.conv', '0.fn.2': 'depthwise.bn', '1': 'pointwise.conv',
    '3': 'pointwise.bn',
}


def _rename_first(key: str, names: Dict[str, str]) -> Optional[str]:
    first, _, rest = key.partition('.')
    return f'{names[first]}.{rest}' if first in names and re.match(_CONV, rest) else None


def _conv_key(key: str) -> Optional[str]:
    return key if re.match(_CONV, key) else None


def _serial_key(key: str) -> Optional[str]:
    return _rename_first(key, _SERIAL)


def _c2psa_key(key: str) -> Optional[str]:
    inner = re.match(rf'm\.(\d+)\.((?:attn\.(?:qkv|pe|proj)|ffn\.[01])\.{_CONV})', key)
    return f'blocks.{inner[1]}.{inner[2]}' if inner else _rename_first(key, _SPLIT)


def _c3k_key(key: str) -> Optional[str]:
    inner = re.match(r'm\.(\d+)\.(.+)', key)
    return _below(f'blocks.{inner[1]}', _serial_key(inner[2])) if inner else _rename_first(key, _C3K)


def _c3k2_key(key: str, in_c3k: bool) -> Optional[str]:
    inner = re.match(r'm\.(\d+)\.(.+)', key)
    if not inner:
        return _rename_first(key, _SPLIT)
    return _below(f'blocks.{inner[1]}', (_c3k_key if in_c3k else _serial_key)(inner[2]))


def _below(prefix: str, key: Optional[str]) -> Optional[str]:
    return None if key is None else f'{prefix}.{key}'


def article_attention_key(key: str) -> Optional[str]:
    """Map a parameter name of SEAM or MultiSEAM, relative to the layer.

    Args:
        key (str): Name in the published code, for example 'DCovN.0.0.fn.0.weight' or 'DCovN2.3.1.bias'.

    Returns:
        str, optional: Name in :class:`mmseam.models.layers.SEAM` or :class:`MultiSEAM`, for example
        'body.0.depthwise.conv.weight' or 'bodies.2.blocks.0.pointwise.conv.bias'; None for any other name.
    """
    gate = re.match(r'fc\.([02])\.(\w+)$', key)
    if gate:
        return f'gate.fc{1 + int(gate[1]) // 2}.{gate[2]}'
    embed = re.match(r'DCovN(\d+)\.([02])\.(\w+)$', key)
    if embed:
        return f'bodies.{embed[1]}.patch_embed.{_ATTENTION_PARTS[embed[2]]}.{embed[3]}'
    block = re.match(r'DCovN(\d*)\.(\d+)\.(0\.fn\.[02]|[13])\.(\w+)$', key)
    if not block:
        return None
    branch, index, part, name = block.groups()
    # A branch of MultiSEAM starts with convolution, activation and norm; its blocks follow.
    parent = f'bodies.{branch}.blocks.{int(index) - 3}' if branch else f'body.{index}'
    return f'{parent}.{_ATTENTION_PARTS[part]}.{name}'


def article_head_key(key: str) -> Optional[str]:
    """Map a parameter name of the published ``Detect_SEAM`` or ``Detect_MultiSEAM``, relative to the head.

    Args:
        key (str): Name in the published code, for example 'cv3.0.1.DCovN0.0.weight'.

    Returns:
        str, optional: Name in :class:`mmseam.models.SEAMHeadModule` or :class:`MultiSEAMHeadModule`, for example
        'cls_preds.0.1.bodies.0.patch_embed.conv.weight'; None for other branches and the fixed 'dfl'.
    """
    return _branch_key(key, lambda branch, layer, rest: article_attention_key(rest) if layer == 1 else rest)


def yolo11_head_key(key: str) -> Optional[str]:
    """Map a parameter name of the original YOLO11 head, relative to the head.

    Args:
        key (str): Name in Ultralytics' ``Detect``, for example 'cv3.0.1.0.conv.weight'.

    Returns:
        str, optional: Name in :class:`mmseam.models.YOLO11HeadModule`, for example
        'cls_preds.0.1.depthwise_conv.conv.weight'; None for other branches and the fixed 'dfl'.
    """
    return _branch_key(key, _plain_layer_key)


def _branch_key(key: str, layer_key: Callable[[str, int, str], Optional[str]]) -> Optional[str]:
    match = re.match(r'(cv[23])\.(\d+)\.([012])\.(.+)', key)
    if not match:
        return None
    branch, level, layer, rest = match.groups()
    target = 'reg_preds' if branch == 'cv2' else 'cls_preds'
    return _below(f'{target}.{level}.{layer}', layer_key(branch, int(layer), rest))


def _plain_layer_key(branch: str, layer: int, rest: str) -> Optional[str]:
    part = re.match(rf'([01])\.({_CONV})', rest)
    if branch == 'cv3' and layer < 2 and part:
        return f'{"depthwise_conv" if part[1] == "0" else "pointwise_conv"}.{part[2]}'
    return rest


def map_yolo11_keys(keys: Iterable[str]) -> Dict[str, Optional[str]]:
    """Map the parameter names of a complete network.

    Args:
        keys (Iterable[str]): All names of an Ultralytics state dict, 'model.0.conv.weight' and so on. All are needed:
            only sibling names show whether a block is a C3k.

    Returns:
        dict: The name in mmseam's ``YOLODetector`` for each key, or None without a counterpart: head branches other
        than box and class, the fixed 'dfl', and names that are in no YOLO11 layer.
    """
    keys = list(keys)
    c3k_blocks = {match[1] for match in (re.match(r'(model\.\d+\.m\.\d+)\.cv3\.', key) for key in keys) if match}
    has_attention = any(re.match(rf'{re.escape(HEAD_PREFIX)}cv[23]\.\d+\.1\.(DCovN|fc\.)', key) for key in keys)
    head_key = article_head_key if has_attention else yolo11_head_key
    return {key: _network_key(key, c3k_blocks, head_key) for key in keys}


def is_backbone_key(key: str) -> bool:
    """Return whether an Ultralytics name, 'model.4.cv1.conv.weight' for example, belongs to the backbone."""
    match = re.match(r'model\.(\d+)\.', key)
    return match is not None and _LAYER_TARGETS.get(int(match[1]), '').startswith('backbone.')


def _network_key(key: str, c3k_blocks: Container[str], head_key: Callable[[str], Optional[str]]) -> Optional[str]:
    match = re.match(r'model\.(\d+)\.(.+)', key)
    if not match:
        return None
    index, rest = int(match[1]), match[2]
    if key.startswith(HEAD_PREFIX):
        return _below('bbox_head.head_module', head_key(rest))
    if index not in _LAYER_TARGETS:
        return None
    block = re.match(r'model\.\d+\.m\.\d+', key)
    in_c3k = block is not None and block[0] in c3k_blocks
    renamers = {'Conv': _conv_key, 'SPPF': _serial_key, 'C2PSA': _c2psa_key, 'C3k2': partial(_c3k2_key, in_c3k=in_c3k)}
    return _below(_LAYER_TARGETS[index], renamers[YOLO11_LAYERS[index]](rest))
