"""Train and test in channels-last memory format."""
from typing import Sequence

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmseam.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Convert the weights, and thereby all feature maps, to channels-last memory format.

    This speeds up convolutions on a CPU (measure with ``benchmarks/training_step.py``). Distributed training is not
    changed, because its gradient buckets have been created for the other format; distributed testing is.

    Args:
        device_types (Sequence[str]): Device types to apply it to. It has not been measured on CUDA.
            Defaults to ('cpu', ).
    """

    # Before the moving average copies the model.
    priority = 'VERY_HIGH'

    def __init__(self, device_types: Sequence[str] = ('cpu', )) -> None:
        self.device_types = tuple(device_types)

    def before_run(self, runner: Runner) -> None:
        """Convert the weights, unless training is distributed."""
        if not is_model_wrapper(runner.model):
            self._convert(runner.model)

    def before_test(self, runner: Runner) -> None:
        """Convert the weights of a distributed test too, which so gives the same outputs as one process."""
        self._convert(runner.model)

    def _convert(self, model: nn.Module) -> None:
        devices = {parameter.device.type for parameter in model.parameters()}  # empty for an exported model
        if devices <= set(self.device_types):
            model.to(memory_format=torch.channels_last)
