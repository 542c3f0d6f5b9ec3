"""Find the checkpoint to resume from."""
import os
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from mmengine.runner.checkpoint import _load_checkpoint

from mmseam.engine.hooks.checkpoint_hook import LAST_CHECKPOINT
from mmseam.utils.config import ConfigError

_STATE = ('meta', 'state_dict', 'optimizer', 'message_hub')


class ResumePoint(NamedTuple):
    """Checkpoint to resume from.

    Args:
        checkpoint (str, optional): The checkpoint, None if there is none.
        message (str): One-line log message.
    """
    checkpoint: Optional[str]
    message: str


def find_resume_point(work_dir: str) -> ResumePoint:
    """Find the newest checkpoint of a work folder that can be resumed from.

    This is the checkpoint in ``last_checkpoint``. If that file is missing or empty, or its checkpoint is missing or
    does not load, it is the newest other checkpoint that loads. Best checkpoints have no optimizer state and are
    skipped.

    Args:
        work_dir (str): The work folder.

    Returns:
        ResumePoint: The checkpoint, or None if there are no checkpoints and training can start from scratch.

    Raises:
        ConfigError: There are checkpoints, but none can be resumed from.
    """
    named, problem = _named_checkpoint(Path(work_dir))
    failures = []
    for path in ([named] if named else []) + _other_checkpoints(Path(work_dir), named):
        failure = _why_not_resumable(path)
        if failure is None:
            skipped = [text for text in [problem, *failures] if text]
            reason = f' because {"; ".join(skipped)}' if skipped else ''
            return ResumePoint(str(path), f'--resume: continuing from {path}{reason}')
        failures.append(f'{path.name}: {failure}')
    if failures:
        raise ConfigError(f'--resume: no checkpoint in {work_dir} can be resumed from: {"; ".join(failures)}. Start in '
                          'another --work-dir, or give a checkpoint: --resume CKPT')
    return ResumePoint(None, f'--resume: {work_dir} holds no checkpoint to resume from; the training starts at epoch 1')


def check_resumable(path: str) -> None:
    """Check that a checkpoint can be resumed from.

    Args:
        path (str): The checkpoint.

    Raises:
        ConfigError: It does not load or was not saved for resuming.
    """
    failure = _why_not_resumable(Path(path))
    if failure:
        raise ConfigError(f'--resume: {path}: {failure}')


def _named_checkpoint(work_dir: Path) -> Tuple[Optional[Path], str]:
    """Return the file named by ``last_checkpoint``, even in a moved folder, or None and the reason."""
    pointer = work_dir / LAST_CHECKPOINT
    if not pointer.is_file():
        return None, f'there is no {pointer}'
    name = pointer.read_text(encoding='utf-8', errors='replace').strip()
    if not name:
        return None, f'{pointer} is empty'
    for path in (work_dir / Path(name).name, Path(name)):  # the former after the folder was moved or copied
        if path.is_file():
            return path, ''
    return None, f'{pointer} names {name}, which does not exist'


def _other_checkpoints(work_dir: Path, named: Optional[Path]) -> List[Path]:
    """List the other checkpoints, newest first."""
    paths = [path for path in work_dir.glob('*.pth') if not path.name.startswith('best_') and path != named]
    return sorted(paths, key=os.path.getmtime, reverse=True)


def _why_not_resumable(path: Path) -> Optional[str]:
    try:
        checkpoint = _load_checkpoint(str(path), map_location='cpu')
    except Exception as error:  # noqa: BLE001  (a damaged file makes any)
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return f'it does not load ({reason[0]})'
    missing = [key for key in _STATE if key not in checkpoint]
    return f'it was not saved for resuming, {missing[0]} is missing' if missing else None
