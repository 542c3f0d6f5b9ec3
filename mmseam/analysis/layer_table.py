"""List the layers of a detector in the style of YOLO tables: index, source, parameters, module, arguments."""
from typing import List, NamedTuple, Tuple, Union

from mmcv.cnn import ConvModule
from mmyolo.models.layers import SPPFBottleneck
from torch import nn

from mmseam.models import C2PSA, YOLO11PAFPN, AttentionNeck, C3k2, YOLO11CSPDarknet


class LayerRow(NamedTuple):
    """A row of the table.

    Args:
        index (int): Index of the layer.
        source (int or Tuple[int, ...]): Indices of its input layers; -1 is the previous layer.
        parameters (int): Number of trainable parameters.
        module (str): Type of the layer.
        arguments (list): Arguments of the layer, starting with input and output channels.
    """
    index: int
    source: Union[int, Tuple[int, ...]]
    parameters: int
    module: str
    arguments: list


def layer_table(model: nn.Module) -> List[LayerRow]:
    """List the layers of a detector.

    A YOLO11 backbone and neck are listed layer by layer, numbered as in YOLO11's own tables: backbone 0-10, neck
    11-22, head 23. Attention in the backbone or after the neck gets extra rows and shifts the later indices. For other
    detectors only the top-level modules are listed.

    Args:
        model (nn.Module): An mmdet or mmyolo detector.

    Returns:
        List[LayerRow]: The rows in forward order.
    """
    necks = list(model.neck) if isinstance(getattr(model, 'neck', None), nn.Sequential) else \
        [getattr(model, 'neck', None)]
    known = isinstance(getattr(model, 'backbone', None), YOLO11CSPDarknet) and isinstance(necks[0], YOLO11PAFPN) and \
        all(isinstance(neck, AttentionNeck) for neck in necks[1:]) and hasattr(model.bbox_head, 'head_module')
    if not known:
        return [LayerRow(i, -1, count_parameters(child), type(child).__name__, [])
                for i, (name, child) in enumerate(model.named_children()) if name != 'data_preprocessor']
    table = _Table()
    levels = table.add_neck(necks[0], table.add_backbone(model.backbone))
    for neck in necks[1:]:
        levels = table.add_attention(neck, levels)
    module = model.bbox_head.head_module
    table.add(module, levels, [module.num_classes, list(module.in_channels)])
    return table.rows


def count_parameters(module: nn.Module) -> int:
    """Count the parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


class _Table:
    """Builder of the rows."""

    def __init__(self) -> None:
        self.rows: List[LayerRow] = []

    def add(self, module: nn.Module, source: Union[int, Tuple[int, ...]] = -1, arguments: list = None) -> int:
        """Append a layer and return its index."""
        name, known_arguments = _describe(module)
        index = len(self.rows)
        self.rows.append(
            LayerRow(index, source, count_parameters(module), name,
                     known_arguments if arguments is None else arguments))
        return index

    def add_backbone(self, backbone: YOLO11CSPDarknet) -> Tuple[int, ...]:
        """Append the backbone and return the indices of its output layers."""
        outputs = [self.add(backbone.stem)]
        for name in backbone.layers[1:]:
            stage = getattr(backbone, name)
            width = stage[1].final_conv.conv.out_channels
            for module in stage:
                index = self.add(module, -1, None if _describe(module)[1] else [width])
            outputs.append(index)
        return tuple(outputs[i] for i in backbone.out_indices)

    def add_neck(self, neck: YOLO11PAFPN, inputs: Tuple[int, ...]) -> Tuple[int, ...]:
        """Append the neck and return the indices of its output layers."""
        inner = [inputs[-1]]
        for upsample, csp, lateral in zip(neck.upsample_layers, neck.top_down_layers, reversed(inputs[:-1])):
            self.add(upsample, -1 if inner[0] == len(self.rows) - 1 else inner[0])
            inner.insert(0, self._add_concat(csp, lateral))
        outputs = inner[:1]
        for downsample, csp, lateral in zip(neck.downsample_layers, neck.bottom_up_layers, inner[1:]):
            self.add(downsample)
            outputs.append(self._add_concat(csp, lateral))
        return tuple(outputs)

    def _add_concat(self, csp: nn.Module, lateral: int) -> int:
        index = len(self.rows)
        self.rows.append(LayerRow(index, (-1, lateral), 0, 'Concat', [1]))
        return self.add(csp)

    def add_attention(self, neck: AttentionNeck, levels: Tuple[int, ...]) -> Tuple[int, ...]:
        """Append the attention layers and return the index of the last layer of each level."""
        outputs = []
        for layer, source in zip(neck.layers, levels):
            outputs.append(source if isinstance(layer, nn.Identity) else self.add(layer, source, [_width(layer)]))
        return tuple(outputs)


def _width(layer: nn.Module) -> int:
    """Return the channels of an attention layer: the inputs of its first convolution or linear layer."""
    first = next(module for module in layer.modules() if isinstance(module, (nn.Conv2d, nn.Linear)))
    return first.in_channels if isinstance(first, nn.Conv2d) else first.in_features


def _describe(module: nn.Module) -> Tuple[str, list]:
    """Return name and arguments of a layer; no arguments if it is not a YOLO11 layer."""
    if isinstance(module, ConvModule):
        conv = module.conv
        return 'Conv', [conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0]]
    if isinstance(module, C3k2):
        channels = [module.main_conv.conv.in_channels, module.final_conv.conv.out_channels]
        ratio = module.mid_channels / channels[1]
        use_c3k = hasattr(module.blocks[0], 'main_conv')
        return 'C3k2', [*channels, len(module.blocks), use_c3k, *([] if ratio == 0.5 else [ratio])]
    if isinstance(module, SPPFBottleneck):
        return 'SPPF', [module.conv1.conv.in_channels, module.conv2.conv.out_channels, module.poolings.kernel_size]
    if isinstance(module, C2PSA):
        conv = module.final_conv.conv
        return 'C2PSA', [conv.in_channels, conv.out_channels, len(module.blocks)]
    if isinstance(module, nn.Upsample):
        return 'Upsample', [None, int(module.scale_factor), module.mode]
    return type(module).__name__, []
