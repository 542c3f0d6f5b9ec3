"""Apply the command-line options of ``tools/train.py`` to the config."""
from pathlib import Path
from typing import Optional

import torch
from mmengine.config import Config

from mmseam.utils.checkpoint_match import check_checkpoint_file
from mmseam.utils.config import ConfigError, set_hook

AMP_OPTIM_WRAPPERS = {
    'OptimWrapper': 'AmpOptimWrapper',
    'mmseam.AccumulatingOptimWrapper': 'mmseam.AccumulatingAmpOptimWrapper',
}


def enable_amp(cfg: Config) -> None:
    """Enable mixed-precision training.

    Args:
        cfg (Config): The config, changed in place.

    Raises:
        ConfigError: There is no GPU, or the optimizer wrapper has no AMP counterpart.
    """
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper not in (*AMP_OPTIM_WRAPPERS, *AMP_OPTIM_WRAPPERS.values()):
        raise ConfigError(f'--amp needs optim_wrapper.type {" or ".join(AMP_OPTIM_WRAPPERS)}, the config has {wrapper}')
    if not torch.cuda.is_available():
        raise ConfigError('--amp needs a CUDA device, and PyTorch finds none; omit it on a CPU')
    cfg.optim_wrapper.type = AMP_OPTIM_WRAPPERS.get(wrapper, wrapper)
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def enable_auto_scale_lr(cfg: Config) -> None:
    """Scale the learning rate by actual batch size / ``auto_scale_lr.base_batch_size``.

    :class:`mmseam.engine.YOLOParamSchedulerHook` accumulates small batches, so it only scales up.

    Args:
        cfg (Config): The config, changed in place.

    Raises:
        ConfigError: The config has no ``auto_scale_lr.base_batch_size``.
    """
    if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
        raise ConfigError('--auto-scale-lr: the config does not state the batch size of its learning rate; '
                          'add auto_scale_lr = dict(enable=False, base_batch_size=GPUS * BATCH_SIZE)')
    cfg.auto_scale_lr.enable = True


def set_resume(cfg: Config, resume: Optional[str]) -> None:
    """Resume an earlier run.

    Args:
        cfg (Config): The config, changed in place.
        resume (str, optional): A checkpoint, 'auto' for the last one in the work folder, or None for a new run.

    Raises:
        ConfigError: The checkpoint does not exist.
    """
    if resume is None:
        return
    if resume != 'auto' and '://' not in resume and not Path(resume).is_file():
        raise ConfigError(f'--resume: there is no checkpoint {resume}; --resume without a value uses the last one in '
                          f'{cfg.work_dir}')
    cfg.resume = 'auto' if resume == 'auto' else True  # see mmseam.engine.training.train
    if resume != 'auto':
        cfg.load_from = resume


def set_checks(cfg: Config, allow_partial_checkpoint: bool = False) -> None:
    """Check ``load_from`` now, and add hooks that check the data and the weights before training.

    Args:
        cfg (Config): The config, changed in place.
        allow_partial_checkpoint (bool): Accept a checkpoint that fits only a small part of the model. Defaults to
            False.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        CheckpointMismatchError: The checkpoint is in Ultralytics' format and must be converted first.
    """
    if cfg.get('load_from'):
        check_checkpoint_file(cfg.load_from)
    set_hook(cfg, 'CheckpointMatchHook', **(dict(min_share=0) if allow_partial_checkpoint else {}))
    set_hook(cfg, 'DataCheckHook')
