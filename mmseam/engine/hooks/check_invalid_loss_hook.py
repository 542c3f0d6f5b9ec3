"""Detect losses, gradients and weights that are not finite."""
import math
from typing import List, Optional

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmseam.registry import HOOKS

_ADVICE = ('Use a lower learning rate or a longer warm-up, or look at the data of that iteration; '
           'mmseam.CheckInvalidLossHook(max_skipped_steps=N) skips single bad steps')


class InvalidLossError(RuntimeError):
    """The training has diverged; the message says where and what to do."""


@HOOKS.register_module()
class CheckInvalidLossHook(Hook):
    """Stop a training with NaN or infinite loss before it saves a checkpoint.

    mmdet's hook of this name checks every 50th loss only, so invalid checkpoints can be saved in between. This one
    checks every loss at no cost, because MMEngine has already fetched it for the log. It also checks the weights before
    each save, because a gradient can overflow even if the loss does not.

    In mixed precision, gradients occasionally overflow during the search for a loss scale; the gradient scaler skips
    these steps, and they are not an error.

    Args:
        max_skipped_steps (int): Number of optimizer steps with an invalid loss or gradient to skip before stopping the
            training. Checking all gradients takes time. Defaults to 0.
    """

    # Before EMA, which must not include buffers of a skipped step.
    priority = 'ABOVE_NORMAL'

    def __init__(self, max_skipped_steps: int = 0) -> None:
        self.max_skipped_steps = max_skipped_steps
        self._num_skipped = 0
        self._is_step_skipped = False
        self._buffers: List[torch.Tensor] = []

    def before_train(self, runner: Runner) -> None:
        """Register the gradient check if steps may be skipped.

        Args:
            runner (Runner): The running training.
        """
        if self.max_skipped_steps:
            runner.optim_wrapper.optimizer.register_step_pre_hook(self._drop_invalid_gradients)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None) -> None:
        """Copy the buffers if the step may be skipped; an invalid forward pass corrupts those of normalization layers.

        Args:
            runner (Runner): The running training.
            batch_idx (int): The batch in the epoch.
            data_batch (dict, optional): The batch. Defaults to None.
        """
        if self.max_skipped_steps:
            self._buffers = [buffer.clone() for buffer in runner.model.buffers()]

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Optional[dict] = None,
                         outputs: Optional[dict] = None) -> None:
        """Check the loss.

        Args:
            runner (Runner): The running training.
            batch_idx (int): The batch in the epoch.
            data_batch (dict, optional): The batch. Defaults to None.
            outputs (dict, optional): The losses. Defaults to None.

        Raises:
            InvalidLossError: The loss is invalid, and no more steps may be skipped.
        """
        is_skipped, self._is_step_skipped = self._is_step_skipped, False
        if math.isfinite(outputs['loss'].item()) and not is_skipped:
            return
        losses = ', '.join(f'{name} {value.item():.4g}' for name, value in outputs.items() if 'loss' in name)
        where = f'iteration {runner.iter + 1} (epoch {runner.epoch + 1}): {losses}'
        self._num_skipped += 1
        if self._num_skipped > self.max_skipped_steps:
            last = runner.message_hub.get_info('last_ckpt')
            saved = f'The last checkpoint is {last}' if last else 'Nothing has been saved'
            raise InvalidLossError(f'invalid loss or gradient in {where}. {saved}. {_ADVICE}')
        for buffer, before in zip(runner.model.buffers(), self._buffers):
            buffer.copy_(before)
        runner.logger.warning(f'skipped step {self._num_skipped} of at most {self.max_skipped_steps} with an invalid '
                              f'loss or gradient: {where}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the weights.

        Args:
            runner (Runner): The running training.
            checkpoint (dict): What is about to be saved.

        Raises:
            InvalidLossError: A weight or buffer is not finite.
        """
        invalid = [name for name, value in checkpoint['state_dict'].items() if not torch.isfinite(value).all()]
        if invalid:
            raise InvalidLossError(f'{len(invalid)} of {len(checkpoint["state_dict"])} tensors of the model are NaN or '
                                   f'infinite after iteration {runner.iter}, the first is {invalid[0]}. They are not '
                                   f'saved. {_ADVICE}')

    def _drop_invalid_gradients(self, optimizer: torch.optim.Optimizer, *args) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group['params']]
        # An infinite limit clips nothing
        norm = torch.nn.utils.clip_grad_norm_(parameters, math.inf)
        if not math.isfinite(norm):
            self._is_step_skipped = True
            for parameter in parameters:
                parameter.grad = None  # Optimizers skip such parameters and their momentum
