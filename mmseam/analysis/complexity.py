"""Count the parameters, GFLOPs and layers of a model without allocating its weights."""
import copy
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
from mmdet.models import SingleStageDetector
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmseam.registry import MODELS

from .layer_table import LayerRow, count_parameters, layer_table

_CONV_AND_LINEAR = ('convolution', 'mm', 'addmm')


class ModelComplexity(NamedTuple):
    """Size and computational cost of a model.

    Args:
        rows (List[LayerRow]): Layers of the model.
        parameters (int): Trainable parameters.
        fixed_weights (int): Number of fixed weights of the distribution focal loss (DFL) layer, which other
            implementations count as parameters and MMYOLO keeps as a buffer; 0 without such a layer.
        img_size (Tuple[int, int]): Image height and width for which the GFLOPs are counted.
        gflops (float, optional): 2 × multiply-adds of convolutions and linear layers, in 10⁹. None for detectors
            that need a real image to run.
        gflops_with_attention (float, optional): The same plus the matrix products of self-attention (queries with
            keys, weights with values).
    """
    rows: List[LayerRow]
    parameters: int
    fixed_weights: int
    img_size: Tuple[int, int]
    gflops: Optional[float]
    gflops_with_attention: Optional[float]


def model_complexity(cfg: Config, img_size: Sequence[int] = (640, 640),
                     num_classes: Optional[int] = None) -> ModelComplexity:
    """Measure a config's model on PyTorch's meta device, which neither allocates nor computes.

    Args:
        cfg (Config): Config with a ``model``; not changed.
        img_size (Sequence[int]): Height and width in pixels. Defaults to (640, 640).
        num_classes (int, optional): Number of classes; None keeps the config's. Defaults to None.

    Returns:
        ModelComplexity: Layers, parameters and GFLOPs.
    """
    model = build_on_meta(cfg, num_classes)
    module = getattr(getattr(model, 'bbox_head', None), 'head_module', None)
    flops = _count_flops(model, img_size) if isinstance(model, SingleStageDetector) else (None, None)
    return ModelComplexity(
        layer_table(model), count_parameters(model), module.proj.numel() if hasattr(module, 'proj') else 0,
        tuple(img_size), *flops)


def build_on_meta(cfg: Config, num_classes: Optional[int] = None) -> nn.Module:
    """Build a config's model in evaluation mode without allocating its weights.

    Args:
        cfg (Config): Config with a ``model``; not changed.
        num_classes (int, optional): Number of classes; None keeps the config's. Defaults to None.

    Returns:
        nn.Module: The model on the meta device.
    """
    model_cfg = copy.deepcopy(cfg.model)
    if num_classes is not None:
        head = model_cfg.bbox_head
        head.get('head_module', head).num_classes = num_classes
    scope = cfg.get('default_scope', 'mmyolo')
    with DefaultScope.overwrite_default_scope(scope), torch.device('meta'):
        return MODELS.build(model_cfg).eval()


def _count_flops(model: nn.Module, img_size: Sequence[int]) -> Tuple[float, float]:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, 3, *img_size, device='meta'))  # mode 'tensor': backbone, neck and head
    by_operator = counter.get_flop_counts()['Global']
    plain = sum(flops for operator, flops in by_operator.items() if str(operator).split('.')[-1] in _CONV_AND_LINEAR)
    return plain / 1e9, counter.get_total_flops() / 1e9
