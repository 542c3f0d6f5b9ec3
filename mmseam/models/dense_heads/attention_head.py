"""YOLO11 head modules with an attention layer in each branch."""
from collections import OrderedDict
from typing import List, Optional, Sequence, Tuple

import torch.nn as nn
from mmdet.utils import ConfigType
from torch import Tensor

from mmseam.registry import MODELS

from ..fused import GatedPredictor, PairedBranches
from ..plugins import build_attention
from .yolo11_head import YOLO11HeadModule


@MODELS.register_module()
class AttentionHeadModule(YOLO11HeadModule):
    """YOLO11 head with an attention layer in front of each predictor: the published YOLO11 MultiSEAM head.

    On each level, both the box and the class branch are a 3×3 convolution, attention and a 1×1 predictor. The published
    head thereby drops the second convolution of both branches and replaces YOLO11's depthwise separable class stem by
    a dense 3×3 convolution. With ``keep_reg_stem`` and ``keep_cls_stem``, the attention is inserted into YOLO11's
    complete head, and all weights of a plain YOLO11 fit.

    Args:
        *args: As for :class:`YOLO11HeadModule`.
        attention_cfg (:obj:`ConfigDict` or dict, optional): The layer, without ``in_channels``; anything registered
            that maps (B, C, H, W) to (B, C, H, W), for example ``dict(type='mmseam.SEAM')`` or ``dict(type='CBAM')``.
            None for no layer, the control that tells the effect of the attention from that of the published stems.
        keep_reg_stem (bool): Box branch of YOLO11's two convolutions, attention, predictor. Defaults to False, as
            published.
        keep_cls_stem (bool): Class branch of YOLO11's two depthwise separable convolutions, attention, predictor.
            Defaults to False, as published.
        **kwargs: As for :class:`YOLO11HeadModule`.
    """

    def __init__(self,
                 *args,
                 attention_cfg: Optional[ConfigType],
                 keep_reg_stem: bool = False,
                 keep_cls_stem: bool = False,
                 **kwargs) -> None:
        self.attention_cfg = attention_cfg
        self.keep_reg_stem = keep_reg_stem
        self.keep_cls_stem = keep_cls_stem
        super().__init__(*args, **kwargs)
        self.branch_pairs = nn.ModuleList()  # replaces both branches after switch_to_deploy()

    def build_reg_branch(self, in_channels: int) -> nn.Sequential:
        """Build stem, attention and predictor of the box branch."""
        width = self.reg_out_channels
        stem = self.build_reg_stem(in_channels) if self.keep_reg_stem else [self.conv3x3(in_channels, width)]
        return self._join(stem, width, self.reg_predictor())

    def build_cls_branch(self, in_channels: int) -> nn.Sequential:
        """Build stem, attention and predictor of the class branch."""
        width = self.cls_out_channels
        stem = self.build_cls_stem(in_channels) if self.keep_cls_stem else [self.conv3x3(in_channels, width)]
        return self._join(stem, width, self.cls_predictor())

    def _join(self, stem: list, width: int, predictor: nn.Module) -> nn.Sequential:
        """Join the layers; stem and predictor of a kept stem have the names that they have in YOLO11's head."""
        layers = [(str(index), layer) for index, layer in enumerate(stem)]
        if self.attention_cfg is not None:
            name = 'attention' if len(stem) > 1 else '1'
            layers.append((name, build_attention(self.attention_cfg, width)))
        return nn.Sequential(OrderedDict([*layers, ('2', predictor)]))

    def forward_logits(self, x: Sequence[Tensor]) -> Tuple[List[Tensor], List[Tensor]]:
        """Predict class and box logits; see :meth:`YOLO11HeadModule.forward_logits`."""
        if not self.branch_pairs:
            return super().forward_logits(x)
        cls_logits, box_logits = zip(*(pair(level) for pair, level in zip(self.branch_pairs, x)))
        return list(cls_logits), list(box_logits)

    def switch_to_deploy(self) -> None:
        """Fuse the branches for inference.

        Class and box branch of a level become one :class:`PairedBranches` if both have the same layers; else a layer
        that exposes its channel gains (``gain(x)``) is fused with its predictor.
        """
        pairs = list(zip(self.cls_preds, self.reg_preds))
        if pairs and all(map(PairedBranches.is_supported, pairs)):
            self.branch_pairs = nn.ModuleList(map(PairedBranches, pairs))
            self.cls_preds, self.reg_preds = nn.ModuleList(), nn.ModuleList()
        for branch in (*self.reg_preds, *self.cls_preds):
            if hasattr(branch[-2], 'gain'):
                predictor = branch.pop(-1)
                branch[-1] = GatedPredictor(branch[-1], predictor)


class _PresetHeadModule(AttentionHeadModule):
    """An :class:`AttentionHeadModule` with a fixed layer, whose arguments ``attention_cfg`` may change."""

    attention_type: str

    def __init__(self, *args, attention_cfg: Optional[ConfigType] = None, **kwargs) -> None:
        super().__init__(*args, attention_cfg={'type': self.attention_type, **(attention_cfg or {})}, **kwargs)


@MODELS.register_module()
class SEAMHeadModule(_PresetHeadModule):
    """YOLO11 head with SEAM; ``attention_cfg`` may change SEAM's arguments.

    Args:
        *args: As for :class:`AttentionHeadModule`.
        attention_cfg (:obj:`ConfigDict` or dict, optional): Arguments of :class:`SEAM`. Defaults to None.
        **kwargs: As for :class:`AttentionHeadModule`.
    """

    attention_type = 'mmseam.SEAM'


@MODELS.register_module()
class MultiSEAMHeadModule(_PresetHeadModule):
    """YOLO11 head with MultiSEAM; ``attention_cfg`` may change MultiSEAM's arguments.

    Args:
        *args: As for :class:`AttentionHeadModule`.
        attention_cfg (:obj:`ConfigDict` or dict, optional): Arguments of :class:`MultiSEAM`. Defaults to None.
        **kwargs: As for :class:`AttentionHeadModule`.
    """

    attention_type = 'mmseam.MultiSEAM'
