"""The head of YOLO11: its head module, and a dense head that decodes only the boxes it can keep."""
from typing import Any, List, Optional, Sequence, Tuple

import torch
import torch.nn as nn
from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmdet.models.utils import multi_apply
from mmdet.utils import ConfigType
from mmengine.structures import InstanceData
from mmyolo.models.dense_heads import YOLOv8HeadModule
from torch import Tensor

from mmseam.registry import MODELS
from mmseam.utils.test_cfg import check_test_cfg

from ..utils import clip_to_image, filter_detections, reset_parameters_of_children, select_detections, to_original_scale
from .yolo11_losses import YOLO11LossHead


@MODELS.register_module()
class YOLO11HeadModule(YOLOv8HeadModule):
    """Branches of YOLO11: two 3×3 convolutions for the boxes, two depthwise separable ones for the classes.

    Subclasses change a branch by overriding :meth:`build_reg_branch` or :meth:`build_cls_branch`.

    Args:
        *args: As for :class:`mmyolo.models.YOLOv8HeadModule`.
        separable_cls (bool): Whether the class branch has depthwise separable convolutions; False for dense 3×3 ones,
            as in YOLOv8. Defaults to True.
        branch_channels (int, optional): Width of both branches. Defaults to None: YOLO11's widths.
        **kwargs: As for :class:`mmyolo.models.YOLOv8HeadModule`.
    """

    def __init__(self, *args, separable_cls: bool = True, branch_channels: Optional[int] = None, **kwargs) -> None:
        self.separable_cls = separable_cls
        self.branch_channels = branch_channels
        super().__init__(*args, **kwargs)

    def _init_layers(self) -> None:
        self.reg_out_channels = self.branch_channels or max(16, self.in_channels[0] // 4, self.reg_max * 4)
        # At least the width of P3, but a large vocabulary does not widen the branch beyond 100.
        self.cls_out_channels = self.branch_channels or max(self.in_channels[0], min(self.num_classes, 100))
        self.reg_preds = nn.ModuleList(self.build_reg_branch(c) for c in self.in_channels)
        self.cls_preds = nn.ModuleList(self.build_cls_branch(c) for c in self.in_channels)
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

    def build_reg_branch(self, in_channels: int) -> nn.Sequential:
        """Build the box branch of a level; the last layer is the predictor.

        Args:
            in_channels (int): Channels of the level's map.

        Returns:
            nn.Sequential: The branch.
        """
        return nn.Sequential(*self.build_reg_stem(in_channels), self.reg_predictor())

    def build_cls_branch(self, in_channels: int) -> nn.Sequential:
        """Build the class branch of a level; the last layer is the predictor.

        Args:
            in_channels (int): Channels of the level's map.

        Returns:
            nn.Sequential: The branch.
        """
        return nn.Sequential(*self.build_cls_stem(in_channels), self.cls_predictor())

    def build_reg_stem(self, in_channels: int) -> list:
        """Build the two convolutions in front of the box predictor."""
        width = self.reg_out_channels
        return [self.conv3x3(in_channels, width), self.conv3x3(width, width)]

    def build_cls_stem(self, in_channels: int) -> list:
        """Build the two convolutions in front of the class predictor."""
        width, conv = self.cls_out_channels, self.separable_conv3x3 if self.separable_cls else self.conv3x3
        return [conv(in_channels, width), conv(width, width)]

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


@MODELS.register_module()
class YOLO11Head(YOLO11LossHead):
    """Detection head with the losses and detections of :class:`mmyolo.models.YOLOv8Head` and a faster prediction.

    In evaluation, positions whose best class does not reach the score threshold, nearly all of them, are dropped
    before sigmoid, decoding and NMS. Half-precision maps are decoded in single precision. Any head module of
    YOLOv8Head works; one without ``forward_logits`` decodes all boxes itself.

    In training with several processes, together they compute the gradient of one process with the whole batch.

    Args:
        head_module (:obj:`ConfigDict` or dict): Such as :class:`YOLO11HeadModule`.
        *args: As for :class:`mmyolo.models.YOLOv8Head`.
        **kwargs: As for :class:`YOLO11LossHead`: ``cls_weighting``, ``loss_repulsion`` and YOLOv8Head's.

    Raises:
        ValueError: ``test_cfg`` has an unknown key, an unknown kind of NMS or a value out of range.
    """

    _cached_priors = None, None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.test_cfg is not None:
            check_test_cfg(self.test_cfg)

    def forward(self, x: Tuple[Tensor, ...]) -> Tuple[List[Tensor], ...]:
        """Apply the head module.

        Args:
            x (tuple[Tensor]): Maps of the levels, (B, C_l, H_l, W_l).

        Returns:
            tuple: In training, what the head module returns. In evaluation, class logits of each level,
            (B, num_classes, H_l, W_l), and logits of the box distributions, (B, 4 * reg_max, H_l, W_l).
        """
        if self.training or not hasattr(self.head_module, 'forward_logits'):
            return super().forward(x)
        return self.head_module.forward_logits(x)

    def predict_by_feat(self,
                        cls_scores: Sequence[Tensor],
                        bbox_preds: Sequence[Tensor],
                        bbox_dist_preds: Optional[Sequence[Tensor]] = None,
                        batch_img_metas: Optional[Sequence[dict]] = None,
                        cfg: Optional[ConfigType] = None,
                        rescale: bool = True,
                        with_nms: bool = True) -> List[InstanceData]:
        """Convert the output of :meth:`forward` to detections.

        Args:
            cls_scores (Sequence[Tensor]): Class logits of each level, (B, num_classes, H_l, W_l).
            bbox_preds (Sequence[Tensor]): Of each level the logits of the box distributions,
                (B, 4 * reg_max, H_l, W_l), or the distances to the sides in strides, (B, 4, H_l, W_l).
            bbox_dist_preds (Sequence[Tensor], optional): Third output in training, not used. Defaults to None.
            batch_img_metas (Sequence[dict], optional): ``ori_shape``, ``scale_factor`` and, of letterboxed images,
                ``pad_param`` of each image. Defaults to None.
            cfg (:obj:`ConfigDict` or dict, optional): Settings; defaults to None, the head's ``test_cfg``.
            rescale (bool): Map the boxes back to the original image. Defaults to True.
            with_nms (bool): Suppress overlapping boxes and keep ``max_per_img``. Defaults to True.

        Returns:
            list[InstanceData]: ``bboxes`` (K, 4), ``scores`` (K,) and ``labels`` (K,) of each image by descending
            score, in float32; boxes clipped to the original image.
        """
        cfg = self.test_cfg if cfg is None else cfg
        select = select_detections if with_nms else filter_detections
        priors = self._priors(cls_scores)
        results = []
        for image, (masks, meta) in enumerate(zip(self._candidates(cls_scores, cfg), batch_img_metas)):
            places = [mask.nonzero()[:, 0] for mask in masks]
            distances = self._decode_distances(_gather(bbox_preds, image, places))
            points = torch.cat([level[place] for level, place in zip(priors, places)])
            boxes = self.bbox_coder.decode(points[None, :, :2], distances[None], points[:, 2])[0]
            if rescale:
                boxes = to_original_scale(boxes, meta)
            detections = select(boxes, _gather(cls_scores, image, places).sigmoid(), cfg)
            detections.bboxes = clip_to_image(detections.bboxes, meta)
            results.append(detections)
        return results

    def _candidates(self, cls_scores: Sequence[Tensor], cfg: ConfigType) -> List[Tuple[Tensor, ...]]:
        """Mask the positions (H_l * W_l,) of each image and level that can pass the threshold and ``nms_pre``."""
        best = torch.cat([level.amax(1).flatten(1).float() for level in cls_scores], 1).sigmoid()
        mask = best > cfg.get('score_thr', -1)
        topk = cfg.get('nms_pre', 100000)
        if topk < best.shape[1]:
            mask &= best >= best.topk(topk).values[:, -1:]
        sizes = [level.shape[2] * level.shape[3] for level in cls_scores]
        return [image.split(sizes) for image in mask]

    def _priors(self, levels: Sequence[Tensor]) -> List[Tensor]:
        """Return rows x, y, stride, stride of each level's positions, cached for inputs of the same size."""
        sizes, device = [level.shape[2:] for level in levels], levels[0].device
        cached_for, priors = self._cached_priors
        if cached_for != (sizes, device):
            priors = self.prior_generator.grid_priors(sizes, device=device, with_stride=True)
            self._cached_priors = (sizes, device), priors  # one assignment, since other threads may predict too
        return priors

    def _decode_distances(self, predicted: Tensor) -> Tensor:
        """Compute distances to the sides, (K, 4), from logits (K, 4 * reg_max) or from distances (K, 4)."""
        if predicted.shape[1] == 4:
            return predicted
        # A product of matrices would run in half precision under autocast.
        return (predicted.unflatten(1, (4, -1)).softmax(2) * self.head_module.proj.float()).sum(2)


def _gather(levels: Sequence[Tensor], image: int, places: Sequence[Tensor]) -> Tensor:
    """Gather the values of an image at given positions of maps (B, C, H_l, W_l) as (K, C), float32."""
    rows = [level[image].flatten(1).t().index_select(0, place) for level, place in zip(levels, places)]
    return torch.cat([part.float() for part in rows])
