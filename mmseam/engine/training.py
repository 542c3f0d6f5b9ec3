"""Train a model from its config."""
import os
from contextlib import nullcontext

import torch
from mmengine.config import Config

from mmseam.utils.loader_errors import loader_errors

from .hooks.progress_bar_hook import ON_CONSOLE
from .resuming import check_resumable, find_resume_point
from .runners import build_runner
from .work_dir_lock import lock_work_dir

_RANK_VARIABLES = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')


def train(cfg: Config, quiet: bool = False) -> torch.nn.Module:
    """Train a model; only one training can run in a work folder.

    Args:
        cfg (Config): The config. With ``resume='auto'``, or ``resume=True`` without ``load_from``, resume from the
            newest checkpoint of the work folder that loads, or start from scratch if there is none. Both keys are
            updated accordingly.
        quiet (bool): Show warnings, a line per epoch and a progress bar on the console instead of the log. Defaults to
            False.

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
        runner = build_runner(cfg, quiet)
        if message:
            runner.logger.info(message, extra=ON_CONSOLE)
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
