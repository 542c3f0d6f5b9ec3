"""Train in channels-last memory format."""
from typing import Sequence

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmseam.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Convert the weights, and thereby all feature maps, to channels-last memory format.

    This speeds up convolutions on a CPU (measure with ``benchmarks/training_step.py``). Distributed training is not
    changed, because its gradient buckets have been created for the other format.

    Args:
        device_types (Sequence[str]): Device types to apply it to. It has not been measured on CUDA.
            Defaults to ('cpu', ).
    """

    # Before the moving average copies the model.
    priority = 'VERY_HIGH'

    def __init__(self, device_types: Sequence[str] = ('cpu', )) -> None:
        self.device_types = tuple(device_types)

    def before_run(self, runner: Runner) -> None:
        """Convert the weights."""
        devices = {parameter.device.type for parameter in runner.model.parameters()}  # empty for an exported model
        if not is_model_wrapper(runner.model) and devices <= set(self.device_types):
            runner.model.to(memory_format=torch.channels_last)
