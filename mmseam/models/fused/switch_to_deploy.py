"""Switch a trained model to its fused form for inference."""
import torch
from mmcv.cnn import ConvModule
from mmcv.cnn.utils import fuse_conv_bn
from torch import nn

from ..plugins.separable_conv import ConvActNorm
from .block_conv import BlockConv
from .pointwise_conv import PointwiseConv


def switch_to_deploy(model: nn.Module) -> nn.Module:
    """Switch a trained model to its fused form for inference; its outputs stay equal to rounding.

    Layers with their own ``switch_to_deploy()`` (MMYOLO's convention: RepVGG blocks, SEAM, MultiSEAM and the heads with
    them) are switched, batch normalization is folded into the convolution before it, 1×1 convolutions become matrix
    products, and the memory format becomes channels-last, in which convolutions are faster. Afterwards the model can
    neither be trained nor load a checkpoint of the trained form.

    Args:
        model (nn.Module): A detector or a part of one; changed in place.

    Returns:
        nn.Module: The same model, in evaluation mode.
    """
    for module in list(model.modules()):
        if hasattr(module, 'switch_to_deploy'):
            module.switch_to_deploy()
    for module in model.modules():
        if isinstance(module, ConvModule) and module.order[:2] == ('conv', 'norm'):
            fuse_conv_bn(module)
        _activate_in_place(module)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if PointwiseConv.is_supported(child):
                setattr(module, name, PointwiseConv(child))
    return model.eval().to(memory_format=torch.channels_last)


def _activate_in_place(module: nn.Module) -> None:
    """Let the activation overwrite the output of its convolution, which nothing else reads."""
    is_conv = isinstance(module, (BlockConv, ConvActNorm)) or (isinstance(module, ConvModule)
                                                               and module.order[0] == 'conv')
    if is_conv and hasattr(getattr(module, 'activate', None), 'inplace'):
        module.activate.inplace = True
