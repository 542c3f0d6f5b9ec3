"""The exported part of a detector: the network and box decoding."""
from typing import Optional, Sequence, Tuple

import torch
from torch import Tensor, nn


def make_anchors(sizes: Sequence[Tuple[int, int]], strides: Sequence[int], offset: float,
                 device: Optional[torch.device] = None) -> Tuple[Tensor, Tensor]:
    """Create anchor points and factors such that ``boxes = points + distances * factors``.

    Args:
        sizes (Sequence[Tuple[int, int]]): Height and width of the feature map of each level.
        strides (Sequence[int]): Stride of each level in pixels.
        offset (float): Position of the point in its cell, in strides; 0.5 in MMYOLO.
        device (torch.device, optional): Device of the result. Defaults to None.

    Returns:
        tuple: Points x, y, x, y in pixels, (N, 4), and factors of the left, top, right and bottom distances, (N, 4):
        minus the stride for the first two, the stride for the others.
    """
    points, factors = [], []
    for (height, width), stride in zip(sizes, strides):
        x, y = ((torch.arange(size, device=device, dtype=torch.float) + offset) * stride for size in (width, height))
        x, y = x[None].expand(height, width), y[:, None].expand(height, width)
        points.append(torch.stack((x, y, x, y), 2).flatten(0, 1))
        factors.append(torch.tensor([-1., -1., 1., 1.], device=device).mul(stride).expand(height * width, 4))
    return torch.cat(points), torch.cat(factors)


class ExportModel(nn.Module):
    """Network and box decoding of an anchor-free YOLO detector, without data preprocessor and NMS.

    Args:
        detector (nn.Module): A detector with backbone, neck and a ``bbox_head.head_module`` that has
            ``forward_logits``; usually in its fused form, see :func:`mmseam.models.fused.switch_to_deploy`.
        input_size (Sequence[int], optional): Fixed height and width in pixels, multiples of the largest stride; the
            anchors are constants then. Defaults to None: anchors are computed from the shapes of the feature maps.

    Raises:
        TypeError: The head is not supported.
    """

    def __init__(self, detector: nn.Module, input_size: Optional[Sequence[int]] = None) -> None:
        super().__init__()
        head_module = getattr(getattr(detector, 'bbox_head', None), 'head_module', None)
        if not hasattr(head_module, 'forward_logits'):
            raise TypeError(f'{type(detector).__name__} with the head module {type(head_module).__name__} cannot be '
                            'exported: it has no forward_logits, as mmseam.YOLO11HeadModule and its subclasses have; '
                            'for heads of MMYOLO see its projects/easydeploy')
        self.detector = detector
        self.head_module = head_module
        self.offset = detector.bbox_head.prior_generator.offset
        self.register_buffer('bins', torch.arange(head_module.reg_max, dtype=torch.float)[:, None])
        self.is_static = input_size is not None
        if self.is_static:
            sizes = [tuple(side // stride for side in input_size) for stride in head_module.featmap_strides]
            points, factors = self._anchors(sizes)
            self.register_buffer('points', points)
            self.register_buffer('factors', factors)

    def forward(self, images: Tensor) -> Tuple[Tensor, Tensor]:
        """Predict boxes and scores.

        Args:
            images (Tensor): Normalized images (B, 3, H, W) in the network's channel order; H and W are multiples of
                the largest stride.

        Returns:
            tuple: Boxes x1, y1, x2, y2 in pixels of the input, (B, N, 4), and scores in [0, 1], (B, N, num_classes).
        """
        cls_logits, dist_logits = self.head_module.forward_logits(self.detector.extract_feat(images))
        sizes = [logits.shape[2:] for logits in cls_logits]
        points, factors = (self.points, self.factors) if self.is_static else self._anchors(sizes)
        scores = _flatten(cls_logits).sigmoid()
        return points + self._distances(_flatten(dist_logits)) * factors, scores

    def _distances(self, logits: Tensor) -> Tensor:
        """Compute the expected distances from logits: (B, N, 4 * reg_max) to (B, N, 4), in strides."""
        return logits.unflatten(2, (4, len(self.bins))).softmax(3).matmul(self.bins).squeeze(3)

    def _anchors(self, sizes: Sequence[Tuple[int, int]]) -> Tuple[Tensor, Tensor]:
        return make_anchors(sizes, self.head_module.featmap_strides, self.offset, self.bins.device)


def _flatten(levels: Sequence[Tensor]) -> Tensor:
    """Flatten and concatenate feature maps (B, C, H, W) of all levels to (B, N, C)."""
    return torch.cat([level.flatten(2) for level in levels], 2).transpose(1, 2)
