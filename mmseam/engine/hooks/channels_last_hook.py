"""Training with the channels of a position next to each other in memory."""
from typing import Sequence

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmseam.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the weights, and by them all maps, channels-last; only the order in memory changes.

    Convolutions on a CPU are faster so (``benchmarks/training_step.py`` says by how much). Distributed training is left
    as it is: its gradients lie in buckets that were made for the other order.

    Args:
        device_types (Sequence[str]): Kinds of devices to do it on. On CUDA devices it has not been measured here.
            Defaults to ('cpu', ).
    """

    # Before the moving average copies the model.
    priority = 'VERY_HIGH'

    def __init__(self, device_types: Sequence[str] = ('cpu', )) -> None:
        self.device_types = tuple(device_types)

    def before_run(self, runner: Runner) -> None:
        """Change the order of the weights in memory."""
        devices = {parameter.device.type for parameter in runner.model.parameters()}  # none of an exported model
        if not is_model_wrapper(runner.model) and devices <= set(self.device_types):
            runner.model.to(memory_format=torch.channels_last)
