"""What to do about checkpoints of another architecture."""
import logging

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner

from mmseam.registry import HOOKS
from mmseam.utils.checkpoint_match import match_checkpoint, require_match


@HOOKS.register_module()
class CheckpointMatchHook(Hook):
    """Compare a checkpoint with the model when MMEngine loads it.

    MMEngine fills what fits, logs the rest and goes on. Before a test that hides a mistake: the result would come
    from untrained layers. Before a training it may be meant: a detector starts from another one's backbone.

    Args:
        strict (bool): Raise an error instead of a warning. Defaults to False.
    """

    priority = 'VERY_HIGH'

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare before the tensors are copied.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): What was loaded.

        Raises:
            CheckpointMismatchError: With ``strict``, the checkpoint is not one of this model.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if isinstance(model, BaseTTAModel):  # the checkpoint is that of the detector inside
            model = model.module
        if self.strict:
            require_match(model, checkpoint)
            return
        match = match_checkpoint(model, checkpoint)
        level = logging.INFO if match.is_complete else logging.WARNING
        runner.logger.log(level, f'checkpoint: {match}')
