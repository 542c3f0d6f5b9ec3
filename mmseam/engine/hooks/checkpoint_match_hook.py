"""What to do about checkpoints of another architecture."""
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


@HOOKS.register_module()
class CheckpointMatchHook(Hook):
    """Compare a checkpoint with the model when MMEngine loads it.

    MMEngine fills what fits, lists the names of the rest, and goes on. Before a test that hides a mistake: the result
    would come from untrained layers. Before a training it may be meant: a detector starts from another one's backbone.
    Of a checkpoint that hardly fits, though, nothing would be left. So a test asks for all tensors (``strict``), a
    training for a tenth of them, and how much fits is one short note right before the first epoch, in the place of
    MMEngine's lists.

    Args:
        strict (bool): Raise an error unless the checkpoint is one of this model. Defaults to False.
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
            checkpoint (dict): What was loaded; afterwards it holds the model's tensors.

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
        """Say how much fitted, once, after all that is logged before a training."""
        if self._match is not None:
            level = logging.INFO if self._match.is_complete else logging.WARNING
            runner.logger.log(level, f'checkpoint: {self._match}')
            self._match = None

    before_val_epoch = before_test_epoch = before_train_epoch
