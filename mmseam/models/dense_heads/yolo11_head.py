"""The head module of YOLO11; its losses and predictions are those of mmyolo's YOLOv8Head."""
from typing import List, Sequence, Tuple

import torch
import torch.nn as nn
from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmdet.models.utils import multi_apply
from mmyolo.models.dense_heads import YOLOv8HeadModule
from torch import Tensor

from mmseam.registry import MODELS

from ..utils import reset_parameters_of_children


@MODELS.register_module()
class YOLO11HeadModule(YOLOv8HeadModule):
    """Branches of YOLO11: two 3×3 convolutions for the boxes, two depthwise separable ones for the classes.

    The arguments are those of :class:`mmyolo.models.YOLOv8HeadModule`. Subclasses change a branch by overriding
    :meth:`build_reg_branch` or :meth:`build_cls_branch`.
    """

    def _init_layers(self) -> None:
        self.reg_out_channels = max(16, self.in_channels[0] // 4, self.reg_max * 4)
        # At least the width of P3, but a large vocabulary does not widen the branch beyond 100.
        self.cls_out_channels = max(self.in_channels[0], min(self.num_classes, 100))
        self.reg_preds = nn.ModuleList(nn.Sequential(*self.build_reg_branch(c)) for c in self.in_channels)
        self.cls_preds = nn.ModuleList(nn.Sequential(*self.build_cls_branch(c)) for c in self.in_channels)
        self.register_buffer('proj', torch.arange(self.reg_max, dtype=torch.float), persistent=False)

    def conv3x3(self, in_channels: int, out_channels: int) -> ConvModule:
        """Build a 3×3 convolution with normalization and activation."""
        return ConvModule(in_channels, out_channels, 3, padding=1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)

    def separable_conv3x3(self, in_channels: int, out_channels: int) -> DepthwiseSeparableConvModule:
        """Build a depthwise 3×3 and a pointwise convolution, each with normalization and activation."""
        return DepthwiseSeparableConvModule(
            in_channels, out_channels, 3, padding=1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)

    def reg_predictor(self) -> nn.Conv2d:
        """Build the convolution that predicts the box distributions."""
        return nn.Conv2d(self.reg_out_channels, 4 * self.reg_max, 1)

    def cls_predictor(self) -> nn.Conv2d:
        """Build the convolution that predicts the class logits."""
        return nn.Conv2d(self.cls_out_channels, self.num_base_priors * self.num_classes, 1)

    def build_reg_branch(self, in_channels: int) -> list:
        """Build the box branch of a level.

        Args:
            in_channels (int): Channels of the level's map.

        Returns:
            list[nn.Module]: Its layers; the last one is the predictor.
        """
        width = self.reg_out_channels
        return [self.conv3x3(in_channels, width), self.conv3x3(width, width), self.reg_predictor()]

    def build_cls_branch(self, in_channels: int) -> list:
        """Build the class branch of a level.

        Args:
            in_channels (int): Channels of the level's map.

        Returns:
            list[nn.Module]: Its layers; the last one is the predictor.
        """
        return [*self.build_cls_stem(in_channels), self.cls_predictor()]

    def build_cls_stem(self, in_channels: int) -> list:
        """Build YOLO11's two depthwise separable convolutions in front of the class predictor."""
        width = self.cls_out_channels
        return [self.separable_conv3x3(in_channels, width), self.separable_conv3x3(width, width)]

    def forward(self, x: Sequence[Tensor]) -> Tuple[List[Tensor], ...]:
        """Predict class logits and box distances, as mmyolo's head module does.

        Args:
            x (Sequence[Tensor]): Feature maps of the levels, (B, C_l, H_l, W_l).

        Returns:
            tuple: Class logits of each level, (B, num_classes, H_l, W_l), and distances to the sides in strides,
            (B, 4, H_l, W_l); in training also the box logits, (B, H_l * W_l, 4, reg_max).
        """
        return multi_apply(self._decode_level, *self.forward_logits(x))

    def forward_logits(self, x: Sequence[Tensor]) -> Tuple[List[Tensor], List[Tensor]]:
        """Predict logits without decoding them, for export and for a head that decodes only the boxes it keeps.

        Args:
            x (Sequence[Tensor]): Maps of the levels, (B, C_l, H_l, W_l).

        Returns:
            tuple: Class logits of each level, (B, num_classes, H_l, W_l), and logits of the box distributions,
            (B, 4 * reg_max, H_l, W_l) with the bins of one side next to each other.
        """
        cls_logits = [branch(level) for branch, level in zip(self.cls_preds, x)]
        return cls_logits, [branch(level) for branch, level in zip(self.reg_preds, x)]

    def _decode_level(self, cls_logits: Tensor, box_logits: Tensor) -> Tuple[Tensor, ...]:
        """Take the expectation of the box distributions of one level; a single bin is the distance itself."""
        if self.reg_max == 1:
            return (cls_logits, box_logits, box_logits) if self.training else (cls_logits, box_logits)
        bins = box_logits.unflatten(1, (4, self.reg_max)).flatten(3).permute(0, 3, 1, 2)
        distances = bins.softmax(3).matmul(self.proj[:, None]).squeeze(3)
        distances = distances.transpose(1, 2).unflatten(2, box_logits.shape[2:])
        return (cls_logits, distances, bins) if self.training else (cls_logits, distances)

    def init_weights(self, prior_prob: float = 0.01) -> None:
        """Initialize as PyTorch does, then the biases of the predictors to YOLO's priors (mmyolo's method).

        Args:
            prior_prob (float): Unused; part of mmyolo's signature. Defaults to 0.01.
        """
        if self.init_cfg is None:
            reset_parameters_of_children(self)
        super().init_weights(prior_prob)
