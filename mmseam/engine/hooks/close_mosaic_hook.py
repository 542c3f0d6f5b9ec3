"""Disable mosaic in the last epochs."""
from mmdet.engine.hooks import PipelineSwitchHook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmseam.datasets.wrappers import replace_pipeline
from mmseam.registry import HOOKS


@HOOKS.register_module()
class CloseMosaicHook(PipelineSwitchHook):
    """Switch to ``train_pipeline_stage2`` of the running config for the last epochs.

    mmdet's :class:`PipelineSwitchHook` takes the epoch and the pipeline as arguments, so a child config that changes
    either must repeat both, and it ignores datasets inside wrappers. This one reads both from the runner, and replaces
    the pipeline of every dataset inside ``RepeatDataset``, ``ConcatDataset``, ``ClassBalancedDataset`` and
    ``MultiImageMixDataset``.

    Args:
        num_last_epochs (int): Epochs at the end without mosaic, at most a third of the training. Defaults to 10.
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
            ValueError: The training is iteration-based; its workers start before any hook runs.
        """
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ValueError(f'CloseMosaicHook counts epochs, which {type(runner.train_loop).__name__} does not: use '
                             'EpochBasedTrainLoop, or remove the hook from `custom_hooks`')
        pipeline = runner.cfg.get('train_pipeline_stage2')
        if pipeline is None:
            raise KeyError('CloseMosaicHook needs `train_pipeline_stage2` in the config: the pipeline without mosaic. '
                           'Define it, or remove the hook from `custom_hooks`.')
        self.switch_pipeline = pipeline
        self.switch_epoch = runner.max_epochs - min(self.num_last_epochs, runner.max_epochs // 3)

    def before_train_epoch(self, runner: Runner) -> None:
        """Replace the pipelines at the switch epoch.

        Args:
            runner (Runner): The running training.

        Raises:
            RuntimeError: There is no pipeline to replace.
        """
        if self._has_switched or runner.epoch < self.switch_epoch:
            return
        loader = runner.train_dataloader
        replaced = replace_pipeline(loader.dataset, self.switch_pipeline)
        if not replaced:
            raise RuntimeError(f'CloseMosaicHook: {type(loader.dataset).__name__} has no pipeline to '
                               'replace; remove the hook from `custom_hooks`')
        # Persistent workers have copies of the dataset; without an iterator the loader starts new ones.
        loader._iterator = None
        self._has_switched = True
        runner.logger.info(f'Mosaic is closed: {replaced} dataset(s) use train_pipeline_stage2 from now on')
