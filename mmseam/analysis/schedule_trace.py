"""Trace a config's training schedule per iteration, without images and without a network."""
import copy
import math
from types import SimpleNamespace
from typing import NamedTuple, Tuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope

from mmseam.engine import YOLOParamSchedulerHook
from mmseam.registry import HOOKS


class ScheduleTrace(NamedTuple):
    """Schedule of a training, in all of its iterations or in N of them.

    Attributes:
        iterations (ndarray): Indices of the N iterations in the training. Shape (N,).
        num_iterations (int): Iterations of the training.
        rates (ndarray): Learning rates of weights, normalization weights and biases. Shape (N, 3).
        momentum (ndarray): Momentum; NaN for an optimizer without one. Shape (N,).
        accumulation (ndarray): Batches per optimizer step. Shape (N,).
        stepped (ndarray): Whether the optimizer stepped. Shape (N,).
        weight_decay (tuple[float]): Weight decay of the three groups.
        optimizer (str): Class name of the optimizer.
    """

    iterations: np.ndarray
    num_iterations: int
    rates: np.ndarray
    momentum: np.ndarray
    accumulation: np.ndarray
    stepped: np.ndarray
    weight_decay: Tuple[float, ...]
    optimizer: str

    @property
    def steps(self) -> np.ndarray:
        """Number of optimizer steps up to and including each of the N iterations."""
        return self.stepped.cumsum()


class _TinyNetwork(torch.nn.Module):
    """Network with one layer per kind of parameter group."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(1, 1, 1), torch.nn.BatchNorm2d(1)
        self.bbox_head = SimpleNamespace(num_classes=num_classes)


def trace_schedule(cfg: Config, num_images: int, num_processes: int = 1) -> ScheduleTrace:
    """Run the scheduler hook and the optimizer of a config on empty batches.

    Args:
        cfg (Config): A config whose schedule is :class:`YOLOParamSchedulerHook`.
        num_images (int): Images in the training set.
        num_processes (int): Number of processes, each with ``train_dataloader.batch_size`` images. Defaults to 1.

    Returns:
        ScheduleTrace: The trace.

    Raises:
        ValueError: The config uses another scheduler hook.
    """
    hook = HOOKS.build(copy.deepcopy(cfg.default_hooks.param_scheduler))
    if not isinstance(hook, YOLOParamSchedulerHook):
        raise ValueError(f'default_hooks.param_scheduler is {type(hook).__name__}, not mmseam.YOLOParamSchedulerHook')
    runner = _fake_runner(cfg, num_images, num_processes)
    optim_wrapper = runner.optim_wrapper
    hook.before_run(runner)
    hook.before_train(runner)
    steps, rows = [], []
    optim_wrapper.optimizer.register_step_post_hook(lambda *args: steps.append(runner.iter))
    loss = SimpleNamespace(backward=lambda: None)
    length = len(runner.train_dataloader)
    for iteration in range(runner.max_epochs * length):
        runner.iter, runner.epoch = iteration, iteration // length
        hook.before_train_iter(runner, iteration % length)
        optim_wrapper.update_params(loss)
        groups = optim_wrapper.optimizer.param_groups
        rows.append((*(group['lr'] for group in groups), groups[0].get('momentum', math.nan),
                     optim_wrapper.accumulative_counts, len(steps)))
    table = np.array(rows)
    return ScheduleTrace(np.arange(len(rows)), len(rows), table[:, :3], table[:, 3], table[:, 4].astype(int),
                         np.diff(table[:, 5], prepend=0) > 0, tuple(group['weight_decay'] for group in groups),
                         type(optim_wrapper.optimizer).__name__)


class _EmptyLoader:
    """Data loader without data: length and batch size only."""

    def __init__(self, num_images: int, batch_size: int, num_processes: int) -> None:
        self.dataset = range(num_images)
        self.batch_sampler = SimpleNamespace(batch_size=batch_size)
        self.length = math.ceil(math.ceil(num_images / num_processes) / batch_size)

    def __len__(self) -> int:
        return self.length


def _fake_runner(cfg: Config, num_images: int, num_processes: int) -> SimpleNamespace:
    """Build the part of a runner that the hook uses."""
    network = _TinyNetwork(cfg.model.bbox_head.head_module.num_classes)
    return SimpleNamespace(
        cfg=cfg, model=network, world_size=num_processes, max_epochs=cfg.train_cfg.max_epochs,
        auto_scale_lr=cfg.get('auto_scale_lr'), logger=MMLogger.get_current_instance(),
        train_dataloader=_EmptyLoader(num_images, cfg.train_dataloader.batch_size, num_processes),
        optim_wrapper=_build_optim_wrapper(cfg, network))


def _build_optim_wrapper(cfg: Config, network: torch.nn.Module) -> OptimWrapper:
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmyolo')):
        return build_optim_wrapper(network, copy.deepcopy(cfg.optim_wrapper))
