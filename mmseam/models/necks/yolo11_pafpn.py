"""The neck of YOLO11."""
from typing import List, Sequence, Tuple, Union

import torch.nn as nn
from mmcv.cnn import ConvModule
from mmdet.utils import ConfigType, OptMultiConfig
from mmyolo.models.necks import YOLOv8PAFPN
from mmyolo.models.utils import make_divisible, make_round
from torch import Tensor

from mmseam.registry import MODELS

from ..layers import C3k2
from ..utils import reset_parameters_of_children


@MODELS.register_module()
class YOLO11PAFPN(YOLOv8PAFPN):
    """Path aggregation network of YOLO11: YOLOv8's with C3k2 layers.

    Args:
        in_channels (List[int]): Input channels per scale before widening, [512, 512, 1024] for n.
        out_channels (List[int]): Output channels per scale before widening, [256, 512, 1024] for n.
        deepen_factor (float): Depth multiplier. Defaults to 1.0.
        widen_factor (float): Width multiplier. Defaults to 1.0.
        num_csp_blocks (int): Inner blocks of each C3k2 before deepening. Defaults to 2.
        all_c3k (bool): Every C3k2 holds C3k layers, as in sizes m, l and x; else only the last. Defaults to False.
        freeze_all (bool): Freeze the neck. Defaults to False.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer.
            Defaults to dict(type='BN', momentum=0.03, eps=0.001).
        act_cfg (:obj:`ConfigDict` or dict): Activation layer. Defaults to dict(type='SiLU', inplace=False).
        init_cfg (dict or list[dict], optional): Initialization config. Defaults to None.
    """

    def __init__(self,
                 in_channels: List[int],
                 out_channels: Union[List[int], int],
                 deepen_factor: float = 1.0,
                 widen_factor: float = 1.0,
                 num_csp_blocks: int = 2,
                 all_c3k: bool = False,
                 freeze_all: bool = False,
                 norm_cfg: ConfigType = dict(type='BN', momentum=0.03, eps=0.001),
                 act_cfg: ConfigType = dict(type='SiLU', inplace=False),
                 init_cfg: OptMultiConfig = None) -> None:
        self.all_c3k = all_c3k
        self.is_deployed = False
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            deepen_factor=deepen_factor,
            widen_factor=widen_factor,
            num_csp_blocks=num_csp_blocks,
            freeze_all=freeze_all,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
            init_cfg=init_cfg)

    def _c3k2(self, in_channels: int, out_channels: int, use_c3k: bool) -> C3k2:
        return C3k2(
            make_divisible(in_channels, self.widen_factor),
            make_divisible(out_channels, self.widen_factor),
            num_blocks=make_round(self.num_csp_blocks, self.deepen_factor),
            use_c3k=use_c3k,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg)

    def build_top_down_layer(self, idx: int) -> nn.Module:
        """Build the C3k2 that takes the concatenation of scales ``idx - 1`` and ``idx``."""
        return self._c3k2(sum(self._top_down_channels(idx)), self.out_channels[idx - 1], self.all_c3k)

    def _top_down_channels(self, idx: int) -> Tuple[int, int]:
        """Return the channels, before widening, that come from above into scale ``idx - 1``, and the scale's own."""
        # Only the top comes straight from the backbone. mmyolo takes `in_channels` for the others, too, which is right
        # for three scales but not for four: P3 has 512 in the backbone and 256 in the neck.
        from_above = self.in_channels if idx == len(self.in_channels) - 1 else self.out_channels
        return from_above[idx], self.in_channels[idx - 1]

    def build_downsample_layer(self, idx: int) -> nn.Module:
        """Build the stride-2 convolution from scale ``idx`` to the next."""
        channels = make_divisible(self.out_channels[idx], self.widen_factor)
        return ConvModule(channels, channels, 3, stride=2, padding=1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)

    def build_bottom_up_layer(self, idx: int) -> nn.Module:
        """Build the C3k2 that outputs scale ``idx + 1``."""
        is_last = idx == len(self.in_channels) - 2
        return self._c3k2(self.out_channels[idx] + self.out_channels[idx + 1], self.out_channels[idx + 1],
                          self.all_c3k or is_last)

    def forward(self, inputs: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """Fuse the feature maps of all scales.

        Args:
            inputs (Sequence[Tensor]): Maps of the backbone, from the largest to the smallest.

        Returns:
            tuple[Tensor]: As many maps of the same sizes.
        """
        if not self.is_deployed:
            return super().forward(inputs)
        tops = [inputs[-1]]
        for layer, low in zip(self.top_down_layers, inputs[-2::-1]):
            tops.append(layer([tops[-1], low]))
        outs = [tops.pop()]
        for downsample, layer in zip(self.downsample_layers, self.bottom_up_layers):
            outs.append(layer([downsample(outs[-1]), tops.pop()]))
        return tuple(outs)

    def switch_to_deploy(self) -> None:
        """Switch to the fused form for inference.

        The C3k2 layers take their maps one by one instead of concatenated, and those from above before upsampling.
        """
        if self.is_deployed:
            return
        for idx, layer in zip(reversed(range(1, len(self.in_channels))), self.top_down_layers):
            layer.switch_to_deploy(self._widths(*self._top_down_channels(idx)), num_upsampled=1)
        for idx, layer in enumerate(self.bottom_up_layers):
            layer.switch_to_deploy(self._widths(self.out_channels[idx], self.out_channels[idx + 1]))
        self.is_deployed = True

    def _widths(self, *channels: int) -> List[int]:
        return [make_divisible(number, self.widen_factor) for number in channels]

    def init_weights(self) -> None:
        """Initialize as PyTorch does unless ``init_cfg`` says otherwise."""
        if self.init_cfg is None:
            reset_parameters_of_children(self)
        else:
            super().init_weights()
