"""Train a model from its config."""
import os
from contextlib import nullcontext
from typing import Callable, Optional

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmseam.registry import RUNNERS
from mmseam.utils.loader_errors import loader_errors

from .resuming import check_resumable, find_resume_point
from .work_dir_lock import lock_work_dir

_RANK_VARIABLES = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')


def train(cfg: Config, on_start: Optional[Callable[[Runner], None]] = None) -> torch.nn.Module:
    """Train a model; only one training can run in a work folder.

    Args:
        cfg (Config): The config. With ``resume='auto'``, or ``resume=True`` without ``load_from``, resume from the
            newest checkpoint of the work folder that loads, or start from scratch if there is none. Both keys are
            updated accordingly.
        on_start (Callable, optional): Called with the runner before the training. Defaults to None.

    Returns:
        nn.Module: The trained model.

    Raises:
        WorkDirInUseError: Another training runs in the work folder.
        ConfigError: No checkpoint can be resumed from.
        InvalidLossError: The training has diverged.
        WriteError: A checkpoint cannot be written.
        LoaderError: A data-loading process was killed.
        OSError: A file cannot be read or written.
        Interrupted: A signal has stopped the training, which can be resumed.
    """
    with lock_work_dir(cfg.work_dir) if _is_first_process(cfg.get('launcher', 'none')) else nullcontext():
        message = _resume(cfg)
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        if message:
            print_log(message, logger=runner.logger)
        if on_start is not None:
            on_start(runner)
        with loader_errors():
            return runner.train()


def _is_first_process(launcher: str) -> bool:
    """Return whether this is rank 0, before the process group is initialized."""
    return launcher == 'none' or os.environ.get(_RANK_VARIABLES[launcher], '0') == '0'


def _resume(cfg: Config) -> str:
    """Set the checkpoint to resume from; return the log message if the work folder was searched."""
    if not cfg.get('resume'):
        return ''
    if cfg.resume == 'auto' or not cfg.get('load_from'):
        checkpoint, message = find_resume_point(cfg.work_dir)
        cfg.resume = checkpoint is not None
        cfg.load_from = checkpoint or cfg.get('load_from')
        return message
    if '://' not in cfg.load_from:
        check_resumable(cfg.load_from)
    return ''
