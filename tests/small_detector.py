"""A detector of a few layers for the tests of export: the exporters take seconds for each of them."""
import torch
from mmcv.cnn import ConvModule
from torch import nn

from mmseam.registry import MODELS

SIZE = (160, 192)
NORM = dict(type='BN', momentum=0.03, eps=0.001)
TEST_CFG = dict(multi_label=True, score_thr=0.3, nms_pre=30000, nms=dict(type='nms', iou_threshold=0.5), max_per_img=25)
METADATA = dict(
    classes=('one', 'two', 'three'), strides=(8, 16, 32), mean=(0., 0., 0.), std=(255., 255., 255.), to_rgb=True,
    input_size=SIZE, dynamic=False, has_nms=False, pad_value=114., allow_scale_up=True, test_cfg=TEST_CFG,
    config='small')


class SmallDetector(nn.Module):
    """Five strided convolutions and a head with MultiSEAM, three classes."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 8, 16, 16, 16, 16)
        self.layers = nn.ModuleList(
            ConvModule(before, after, 3, 2, 1, norm_cfg=NORM, act_cfg=dict(type='SiLU'))
            for before, after in zip(widths, widths[1:]))
        self.bbox_head = MODELS.build(dict(
            type='mmyolo.YOLOv8Head',
            head_module=dict(type='mmseam.MultiSEAMHeadModule', num_classes=3, in_channels=[16, 16, 16])))

    def extract_feat(self, x):
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return maps[2:]


def spread(detector: nn.Module) -> nn.Module:
    """Make the predictors of an untrained detector answer like those of a trained one: each in its own way everywhere.

    The logits of all channels of an image of noise get a mean of -1.5 and a standard deviation of 1.5.
    """
    detector.eval()
    head = detector.bbox_head.head_module
    with torch.no_grad():
        images = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))
        levels = head.forward_logits(detector.extract_feat(images))
        for branches, logits in zip((head.cls_preds, head.reg_preds), levels):
            for branch, level in zip(branches, logits):
                std, mean = torch.std_mean(level, (0, 2, 3))
                branch[-1].weight.mul_(1.5 / std[:, None, None, None])
                branch[-1].bias.copy_((branch[-1].bias - mean) * 1.5 / std - 1.5)
    return detector
