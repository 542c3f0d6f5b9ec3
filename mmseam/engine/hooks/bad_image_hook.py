"""Report unreadable training images."""
import atexit
import json
import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Dict

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmseam.datasets.transforms.loading import BAD_IMAGE_LOG
from mmseam.registry import HOOKS
from mmseam.utils.atomic_write import atomic_write

_NAMED_IMAGES = 10
_PREFIX = 'mmseam_bad_images_'


@HOOKS.register_module()
class BadImageHook(Hook):
    """Report unreadable images before every validation and at the end of training.

    :class:`~mmseam.datasets.transforms.loading.LoadIntactImage` replaces such images in the data loader workers. They
    inherit an environment variable with the path of a file from the process that builds this hook, and append to that
    file while it exists. The bad images of all ranks are logged, and listed with reasons in ``bad_images.txt`` in the
    work folder, also before a validation, because an unreadable validation image ends the training. Nothing is written
    if all images could be read.
    """

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        # Set here and not before training: an iteration-based loop starts its workers while it is being built.
        _remove_files_of_killed_trainings()
        handle, self._log_file = tempfile.mkstemp('.jsonl', f'{_PREFIX}{os.getpid()}_')
        os.close(handle)
        atexit.register(_remove, self._log_file)  # if the training is aborted
        os.environ[BAD_IMAGE_LOG] = self._log_file
        self._num_reported = 0

    def before_val_epoch(self, runner: Runner) -> None:
        """Report new bad images.

        Args:
            runner (Runner): The runner, whose log and work folder are used.
        """
        self._report(runner)

    def after_train(self, runner: Runner) -> None:
        """Report new bad images and stop collecting.

        Args:
            runner (Runner): The runner, whose log and work folder are used.
        """
        self._report(runner)
        _remove(self._log_file)

    def _report(self, runner: Runner) -> None:
        """Gather the records of all workers and ranks, and report them."""
        bad: Dict[str, str] = {}
        for images in all_gather_object(self._read_log()):
            # Names that are not text would break the log
            bad.update({path.encode(errors='backslashreplace').decode(): reason for path, reason in images.items()})
        if len(bad) == self._num_reported or not is_main_process():
            return
        self._num_reported = len(bad)
        report = os.path.join(runner.work_dir, 'bad_images.txt')
        with atomic_write(report, errors='backslashreplace') as file:
            file.writelines(f'{path}\t{reason}\n' for path, reason in sorted(bad.items()))
        named = ', '.join(sorted(bad)[:_NAMED_IMAGES]) + (', …' if len(bad) > _NAMED_IMAGES else '')
        runner.logger.log(logging.WARNING, f'{len(bad)} images could not be read and were replaced by other samples: '
                          f'{named}. Reasons in {report}')

    def _read_log(self) -> Dict[str, str]:
        """Return the path and reason of each bad image of this rank."""
        if not os.path.exists(self._log_file):  # a second training with the same hook
            return {}
        with open(self._log_file, encoding='utf-8') as file:
            return dict(map(json.loads, file))


def _remove_files_of_killed_trainings() -> None:
    for path in Path(tempfile.gettempdir()).glob(f'{_PREFIX}*_*.jsonl'):
        process = path.name[len(_PREFIX):].split('_')[0]
        if process.isdecimal() and not _is_alive(int(process)):
            with suppress(PermissionError):  # another user's
                _remove(str(path))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)  # another user's
    return True


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.remove(path)
