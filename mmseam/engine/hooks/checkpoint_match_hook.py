"""Detect checkpoints of another architecture."""
import logging
from typing import Optional

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner

from mmseam.registry import HOOKS
from mmseam.utils.checkpoint_match import (
    CheckpointMatch,
    load_fitting_tensors,
    match_checkpoint,
    require_match,
    require_share,
)

from .progress_bar_hook import ON_CONSOLE


@HOOKS.register_module()
class CheckpointMatchHook(Hook):
    """Compare a checkpoint with the model when MMEngine loads it.

    MMEngine loads the matching tensors, logs the names of the rest, and continues. In a test this hides an error,
    because the results come from untrained layers. In training it can be intended: a detector can start from the
    backbone of another one, but not from a checkpoint that matches hardly anything. So a test requires all tensors
    (``strict``) and a training a tenth of them. A short summary right before the first epoch replaces MMEngine's lists.

    Args:
        strict (bool): Raise an error unless all tensors match. Defaults to False.
        min_share (float): Raise an error if the checkpoint fills less than this share of the model's tensors.
            Defaults to 0.1.
    """

    priority = 'VERY_HIGH'

    def __init__(self, strict: bool = False, min_share: float = 0.1) -> None:
        self.strict = strict
        self.min_share = min_share
        self._match: Optional[CheckpointMatch] = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare before the tensors are copied.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The loaded checkpoint; afterwards it contains the model's tensors.

        Raises:
            CheckpointMismatchError: The checkpoint fills too little of this model.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if isinstance(model, BaseTTAModel):  # the checkpoint is that of the detector inside
            model = model.module
        if self.strict:
            require_match(model, checkpoint)
            return
        self._match = match_checkpoint(model, checkpoint)
        require_share(self._match, checkpoint, self.min_share)
        if not self._match.is_complete:
            load_fitting_tensors(model, checkpoint)

    def before_train_epoch(self, runner: Runner) -> None:
        """Log the match once, after the other messages before training."""
        if self._match is not None:
            level = logging.INFO if self._match.is_complete else logging.WARNING
            runner.logger.log(level, f'checkpoint: {self._match}', extra=ON_CONSOLE)
            self._match = None

    before_val_epoch = before_test_epoch = before_train_epoch
