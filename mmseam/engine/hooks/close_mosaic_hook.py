"""Training without mosaic at the end."""
from mmdet.engine.hooks import PipelineSwitchHook
from mmengine.runner import Runner

from mmseam.registry import HOOKS


@HOOKS.register_module()
class CloseMosaicHook(PipelineSwitchHook):
    """Switch to ``train_pipeline_stage2`` of the running config for the last epochs.

    mmdet's :class:`PipelineSwitchHook` wants the epoch and the pipeline written into it, so that a child config that
    changes either has to repeat both. This one asks the runner.

    Args:
        num_last_epochs (int): Epochs at the end without mosaic. Defaults to 10.
    """

    def __init__(self, num_last_epochs: int = 10) -> None:
        super().__init__(switch_epoch=None, switch_pipeline=None)
        self.num_last_epochs = num_last_epochs

    def before_train(self, runner: Runner) -> None:
        """Read the number of epochs and the second pipeline.

        Args:
            runner (Runner): The running training.

        Raises:
            KeyError: If the config has no ``train_pipeline_stage2``.
        """
        pipeline = runner.cfg.get('train_pipeline_stage2')
        if pipeline is None:
            raise KeyError('CloseMosaicHook needs `train_pipeline_stage2` in the config: the pipeline without mosaic. '
                           'Define it, or leave the hook out of `custom_hooks`.')
        self.switch_pipeline = pipeline
        self.switch_epoch = runner.max_epochs - self.num_last_epochs
