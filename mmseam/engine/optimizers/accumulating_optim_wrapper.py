"""Sum gradients over a variable number of batches.

MMEngine's wrappers also accumulate, but over a fixed number of batches, and they average: each loss is divided by that
number. YOLO's losses are sums over the images of all processes, so the gradient of a batch of 64 is
the sum of the gradients of four batches of 16, and only a sum is clipped like the gradient of the complete batch.
"""
from typing import List

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from mmseam.registry import OPTIM_WRAPPERS


class _Accumulation:
    """Step once ``accumulative_counts`` batches have been summed since the last step.

    - The number is compared with the batches since the last step, not with the iteration's remainder, so it may change
      at any iteration. Batches left over at the end of the training are dropped.
    - Distributed training synchronizes gradients in each iteration, not only before a step. All processes then hold
      the same sum, which makes it part of a checkpoint: a resumed training continues the accumulation.
    """

    _pending = 0

    @property
    def accumulative_counts(self) -> int:
        """int: Batches per optimizer step."""
        return self._accumulative_counts

    @accumulative_counts.setter
    def accumulative_counts(self, value: int) -> None:
        self._accumulative_counts = value

    def scale_loss(self, loss: torch.Tensor) -> torch.Tensor:
        """Leave the loss as it is: gradients are summed.

        Args:
            loss (Tensor): The loss of a batch.

        Returns:
            Tensor: The same loss.
        """
        return loss

    def backward(self, loss: torch.Tensor, **kwargs) -> None:
        """Add the gradients of a batch.

        Args:
            loss (Tensor): The loss of the batch.
            **kwargs: Arguments of :meth:`torch.Tensor.backward`.
        """
        super().backward(loss, **kwargs)
        self._pending += 1

    def should_update(self) -> bool:
        """Return whether enough batches have been summed."""
        return self._pending >= self._accumulative_counts

    def should_sync(self) -> bool:
        """Return True: processes share their gradients in each iteration."""
        return True

    def step(self, **kwargs) -> None:
        """Clip the sum and update the parameters.

        Args:
            **kwargs: Arguments of :meth:`torch.optim.Optimizer.step`.
        """
        super().step(**kwargs)
        self._pending = 0

    def state_dict(self) -> dict:
        """Return the optimizer's state and the pending gradients."""
        state = super().state_dict()
        if self._pending:
            state['accumulation'] = dict(
                num_pending=self._pending, gradients=[parameter.grad for parameter in self._parameters()])
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Restore the optimizer's state and the pending gradients.

        Args:
            state_dict (dict): What :meth:`state_dict` of this or another wrapper returned.
        """
        accumulation = state_dict.pop('accumulation', dict(num_pending=0, gradients=[]))
        super().load_state_dict(state_dict)
        self._pending = accumulation['num_pending']
        for parameter, gradient in zip(self._parameters(), accumulation['gradients']):
            parameter.grad = None if gradient is None else gradient.to(parameter)

    def _parameters(self) -> List[torch.nn.Parameter]:
        return [parameter for group in self.optimizer.param_groups for parameter in group['params']]


@OPTIM_WRAPPERS.register_module()
class AccumulatingOptimWrapper(_Accumulation, OptimWrapper):
    """Sum gradients over batches; :class:`mmseam.engine.YOLOParamSchedulerHook` sets their number.

    Args:
        optimizer (Optimizer): The optimizer.
        accumulative_counts (int): Batches per step until a hook changes it. Defaults to 1.
        clip_grad (dict, optional): How to clip the sum, see :class:`mmengine.optim.OptimWrapper`. Defaults to None.
    """


@OPTIM_WRAPPERS.register_module()
class AccumulatingAmpOptimWrapper(_Accumulation, AmpOptimWrapper):
    """Mixed-precision version; also takes the arguments of :class:`mmengine.optim.AmpOptimWrapper`."""


def is_accumulating(optim_wrapper: OptimWrapper) -> bool:
    """Return whether the number of batches per step can be changed during training.

    Args:
        optim_wrapper (OptimWrapper): The optimizer wrapper of a runner.
    """
    return isinstance(optim_wrapper, _Accumulation)
