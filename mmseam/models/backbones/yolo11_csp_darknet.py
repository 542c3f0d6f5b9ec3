"""The backbone of YOLO11."""
from typing import List, Tuple, Union

import torch.nn as nn
from mmcv.cnn import ConvModule
from mmdet.utils import ConfigType, OptMultiConfig
from mmyolo.models.backbones import BaseBackbone
from mmyolo.models.layers import SPPFBottleneck
from mmyolo.models.utils import make_divisible, make_round

from mmseam.registry import MODELS

from ..layers import C2PSA, C3k2
from ..plugins import build_attention
from ..utils import reset_parameters_of_children


@MODELS.register_module()
class YOLO11CSPDarknet(BaseBackbone):
    """CSP-Darknet of YOLO11: C3k2 stages, then SPPF and C2PSA.

    Args:
        arch (str): Architecture, only 'P5'. Defaults to 'P5'.
        last_stage_out_channels (int): Output channels of the last stage before widening: the release's
            ``max_channels``, 1024 for n and s, 512 for m, l and x. Defaults to 1024.
        all_c3k (bool): Every C3k2 holds C3k layers, as in sizes m, l and x; else only those of the last two stages.
            Defaults to False.
        plugins (list[dict], optional): Plugins behind the blocks of a stage, each a dict with ``cfg`` (the layer,
            without ``in_channels``) and ``stages`` (four bools; all stages if missing). Defaults to None.
        deepen_factor (float): Depth multiplier. Defaults to 1.0.
        widen_factor (float): Width multiplier. Defaults to 1.0.
        input_channels (int): Channels of the image. Defaults to 3.
        out_indices (Tuple[int]): Stages whose outputs are returned. Defaults to (2, 3, 4).
        frozen_stages (int): Stages to freeze, -1 for none. Defaults to -1.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer.
            Defaults to dict(type='BN', momentum=0.03, eps=0.001).
        act_cfg (:obj:`ConfigDict` or dict): Activation layer. Defaults to dict(type='SiLU', inplace=False).
        norm_eval (bool): Keep normalization layers in evaluation mode. Defaults to False.
        init_cfg (dict or list[dict], optional): Initialization config. Defaults to None.

    Example:
        >>> import torch
        >>> from mmseam.models import YOLO11CSPDarknet
        >>> model = YOLO11CSPDarknet(deepen_factor=0.5, widen_factor=0.25)
        >>> model.eval()
        >>> [tuple(x.shape) for x in model(torch.rand(1, 3, 640, 640))]
        [(1, 128, 80, 80), (1, 128, 40, 40), (1, 256, 20, 20)]
    """

    # in_channels, channels of the stride-2 convolution, out_channels, blocks, C3k, expand ratio, SPPF and C2PSA
    arch_settings = {
        'P5': [[64, 128, 256, 2, False, 0.25, False], [256, 256, 512, 2, False, 0.25, False],
               [512, 512, 512, 2, True, 0.5, False], [512, None, None, 2, True, 0.5, True]],
    }

    def __init__(self,
                 arch: str = 'P5',
                 last_stage_out_channels: int = 1024,
                 all_c3k: bool = False,
                 plugins: Union[dict, List[dict]] = None,
                 deepen_factor: float = 1.0,
                 widen_factor: float = 1.0,
                 input_channels: int = 3,
                 out_indices: Tuple[int] = (2, 3, 4),
                 frozen_stages: int = -1,
                 norm_cfg: ConfigType = dict(type='BN', momentum=0.03, eps=0.001),
                 act_cfg: ConfigType = dict(type='SiLU', inplace=False),
                 norm_eval: bool = False,
                 init_cfg: OptMultiConfig = None) -> None:
        setting = [list(stage) for stage in self.arch_settings[arch]]
        setting[-1][1:3] = last_stage_out_channels, last_stage_out_channels
        self.all_c3k = all_c3k
        super().__init__(
            setting,
            deepen_factor,
            widen_factor,
            input_channels=input_channels,
            out_indices=out_indices,
            plugins=plugins,
            frozen_stages=frozen_stages,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
            norm_eval=norm_eval,
            init_cfg=init_cfg)

    def _width(self, channels: int) -> int:
        return make_divisible(channels, self.widen_factor)

    def _downsample(self, in_channels: int, out_channels: int) -> ConvModule:
        return ConvModule(
            in_channels, out_channels, 3, stride=2, padding=1, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)

    def build_stem_layer(self) -> nn.Module:
        """Build the first stride-2 convolution."""
        return self._downsample(self.input_channels, self._width(self.arch_setting[0][0]))

    def build_stage_layer(self, stage_idx: int, setting: list) -> list:
        """Build the layers of a stage.

        Args:
            stage_idx (int): Index of the stage, from 0.
            setting (list): A row of ``arch_settings``.

        Returns:
            list[nn.Module]: Stride-2 convolution, C3k2 and, in the last stage, SPPF and C2PSA.
        """
        in_channels, down_channels, out_channels, num_blocks, use_c3k, expand_ratio, is_last = setting
        out_channels = self._width(out_channels)
        num_blocks = make_round(num_blocks, self.deepen_factor)
        cfg = dict(norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        stage = [
            self._downsample(self._width(in_channels), self._width(down_channels)),
            C3k2(
                self._width(down_channels),
                out_channels,
                expand_ratio=expand_ratio,
                num_blocks=num_blocks,
                use_c3k=use_c3k or self.all_c3k,
                **cfg)
        ]
        if is_last:
            stage.append(SPPFBottleneck(out_channels, out_channels, kernel_sizes=5, **cfg))
            stage.append(C2PSA(out_channels, num_blocks, **cfg))
        return stage

    def make_stage_plugins(self, plugins: List[dict], stage_idx: int, setting: list) -> List[nn.Module]:
        """Build the plugins of a stage with the actual output channels of that stage.

        mmyolo's own method computes ``int(setting[1] * widen_factor)``, which is neither rounded as the layers are
        nor the output of a stage whose stride-2 convolution has another width.

        Args:
            plugins (list[dict]): The ``plugins`` of the constructor.
            stage_idx (int): Index of the stage, from 0.
            setting (list): A row of ``arch_settings``.

        Returns:
            list[nn.Module]: The plugins of this stage.

        Raises:
            ValueError: If ``stages`` of a plugin has not one entry per stage.
        """
        layers = []
        for plugin in plugins:
            stages = plugin.get('stages') or (True, ) * self.num_stages
            if len(stages) != self.num_stages:
                raise ValueError(f'`stages` of a plugin needs {self.num_stages} entries, one per stage, got {stages}')
            if stages[stage_idx]:
                layers.append(build_attention(plugin['cfg'], self._width(setting[2])))
        return layers

    def init_weights(self) -> None:
        """Initialize as PyTorch does unless ``init_cfg`` says otherwise."""
        if self.init_cfg is None:
            reset_parameters_of_children(self)
        else:
            super().init_weights()
