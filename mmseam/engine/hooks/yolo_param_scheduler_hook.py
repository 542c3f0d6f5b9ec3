"""Schedule learning rate, momentum and gradient accumulation like YOLO."""
import math
from typing import Optional

import numpy as np
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmyolo.engine.hooks import YOLOv5ParamSchedulerHook

from mmseam.engine.optimizers import automatic_optimizer, is_accumulating
from mmseam.registry import HOOKS

BIAS_GROUP = 2  # of YOLOv5OptimizerConstructor: weights, weights of normalization layers, biases


@HOOKS.register_module()
class YOLOParamSchedulerHook(YOLOv5ParamSchedulerHook):
    """Ultralytics' schedule for any number of epochs and any batch size, both read from the runner.

    In each iteration it sets

    - the learning rate of the *current* epoch (the parent uses the previous epoch), warmed up linearly from 0, for
      biases from ``warmup_bias_lr``;
    - the momentum, during the warm-up from ``warmup_momentum`` up to the optimizer's;
    - the number of batches per optimizer step, during the warm-up from 1 up to ``nominal_batch_size`` over the images
      of an iteration on all processes.

    The gradient that reaches the optimizer is a sum over images that is clipped to a fixed norm, and the clipping is
    active in practically every step. So the length of a step does not depend on the number of images in it, and what
    counts is the number of steps per epoch. Accumulation keeps that number the same for all batches up to the nominal
    one, so one learning rate fits all of them. The weight decay is scaled by the images per step over
    ``nominal_batch_size``. Above the nominal batch size there are fewer steps, and the rate stays, as in Ultralytics,
    unless ``auto_scale_lr`` raises it.

    Args:
        scheduler_type (str): 'linear' or 'cosine'. Defaults to 'linear'.
        lr_factor (float): Last learning rate relative to the first. Defaults to 0.01.
        warmup_epochs (int | float): Length of the warm-up. 0 means none. Defaults to 3.
        warmup_bias_lr (float): First learning rate of biases. Defaults to 0.1.
        warmup_momentum (float): First momentum. Defaults to 0.8.
        warmup_mim_iter (int): Minimum number of warm-up iterations; the name is the parent's. Defaults to 100.
        nominal_batch_size (int): Images per optimizer step that smaller batches are accumulated to. Defaults to 64.
        auto_optimizer (bool): Whether trainings of at most 10,000 optimizer steps use AdamW instead of the config's
            optimizer, see :func:`mmseam.engine.optimizers.automatic_optimizer`. Biases then warm up from 0.
            Defaults to False.
    """

    def __init__(self,
                 scheduler_type: str = 'linear',
                 lr_factor: float = 0.01,
                 warmup_epochs: float = 3,
                 warmup_bias_lr: float = 0.1,
                 warmup_momentum: float = 0.8,
                 warmup_mim_iter: int = 100,
                 nominal_batch_size: int = 64,
                 auto_optimizer: bool = False) -> None:
        super().__init__(
            scheduler_type,
            lr_factor,
            warmup_epochs=warmup_epochs,
            warmup_bias_lr=0.0 if auto_optimizer else warmup_bias_lr,
            warmup_momentum=warmup_momentum,
            warmup_mim_iter=warmup_mim_iter)
        self.scheduler_type = scheduler_type
        self.lr_factor = lr_factor
        self.nominal_batch_size = nominal_batch_size
        self.auto_optimizer = auto_optimizer

    def before_run(self, runner: Runner) -> None:
        """Adapt the optimizer to the batch size and the length of the training.

        Args:
            runner (Runner): The runner, before it loads its checkpoint.
        """
        if not isinstance(runner.optim_wrapper, OptimWrapper):  # a test
            return
        self.batch_size = runner.world_size * runner.train_dataloader.batch_sampler.batch_size
        if is_accumulating(runner.optim_wrapper):
            self._scale_weight_decay(runner)
        elif self.batch_size < self.nominal_batch_size:
            runner.logger.warning(
                f'optim_wrapper.type {type(runner.optim_wrapper).__name__} steps after every {self.batch_size} images, '
                f'and its weight decay is not scaled. To accumulate {self.nominal_batch_size} images, use '
                'mmseam.AccumulatingOptimWrapper or, for mixed precision, mmseam.AccumulatingAmpOptimWrapper')
        self._correct_scaled_lr(runner)
        if self.auto_optimizer:
            images = len(runner.train_dataloader.dataset)
            steps = math.ceil(images / max(self.batch_size, self.nominal_batch_size)) * runner.max_epochs
            automatic_optimizer(runner.optim_wrapper, steps, self._num_classes(runner))

    def before_train(self, runner: Runner) -> None:
        """Set up the schedule for the length of the training.

        Args:
            runner (Runner): The running training.
        """
        super().before_train(runner)
        self.scheduler_fn = self.scheduler_maps[self.scheduler_type](self.lr_factor, runner.max_epochs)
        self.warmup_iters = 0
        if self.warmup_epochs > 0:
            self.warmup_iters = max(round(self.warmup_epochs * len(runner.train_dataloader)), self.warmup_mim_iter)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None) -> None:
        """Set learning rates, momentum and accumulation.

        Args:
            runner (Runner): The running training.
            batch_idx (int): The batch in the epoch.
            data_batch (dict, optional): The batch. Defaults to None.
        """
        rate_factor = self.scheduler_fn(runner.epoch)
        for index, group in enumerate(runner.optim_wrapper.optimizer.param_groups):
            first = self.warmup_bias_lr if index == BIAS_GROUP else 0.0
            group['lr'] = self._warm_up(runner.iter, first, self._base_lr[index] * rate_factor)
            if 'momentum' in group:
                group['momentum'] = self._warm_up(runner.iter, self.warmup_momentum, self._base_momentum[index])
        if is_accumulating(runner.optim_wrapper):
            batches = self._warm_up(runner.iter, 1, self.nominal_batch_size / self.batch_size)
            runner.optim_wrapper.accumulative_counts = max(round(batches), 1)

    def after_train_epoch(self, runner: Runner) -> None:
        """Do nothing; each iteration sets the rate of its epoch.

        Args:
            runner (Runner): The running training.
        """

    def _warm_up(self, iteration: int, first: float, last: float) -> float:
        return float(np.interp(iteration, [0, self.warmup_iters], [first, last])) if self.warmup_iters else last

    def _scale_weight_decay(self, runner: Runner) -> None:
        configured = runner.cfg.get('optim_wrapper', {}).get('optimizer', {}).get('batch_size_per_gpu')
        if configured is None:
            images = self.batch_size * max(round(self.nominal_batch_size / self.batch_size), 1)
            for group in runner.optim_wrapper.optimizer.param_groups:
                group['weight_decay'] *= images / self.nominal_batch_size
        elif configured * runner.world_size != self.batch_size:
            raise ValueError(f'optim_wrapper.optimizer.batch_size_per_gpu is {configured}, but train_dataloader gives '
                             f'{self.batch_size // runner.world_size} images. Remove the former from the config')

    def _correct_scaled_lr(self, runner: Runner) -> None:
        # MMEngine has scaled by batch size / base batch size. Below the base no scaling is needed, see above; above it
        # there are fewer steps, and the warm-up of biases must start from a higher rate too.
        scaling = runner.auto_scale_lr or {}
        if not scaling.get('enable'):
            return
        ratio = self.batch_size / scaling['base_batch_size']
        for group in runner.optim_wrapper.optimizer.param_groups:
            group['lr'] /= min(ratio, 1)
        self.warmup_bias_lr *= max(ratio, 1)

    @staticmethod
    def _num_classes(runner: Runner) -> int:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        return model.bbox_head.num_classes

