"""One training at a time in a work folder."""
import json
import multiprocessing
import os
import signal
import threading

import pytest
from line_training import line_config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmseam.engine import work_dir_lock
from mmseam.engine.training import train
from mmseam.engine.work_dir_lock import WorkDirInUseError, lock_work_dir

FORK = multiprocessing.get_context('fork')
STARTED = FORK.Event()


@HOOKS.register_module()
class WaitHook(Hook):
    """Say that the training runs, and wait for the end of the process."""

    def before_train(self, runner):
        STARTED.set()
        threading.Event().wait()


def test_a_second_training_in_the_folder_is_refused_while_the_first_lives(tmp_path):
    STARTED.clear()
    first = FORK.Process(target=train, args=(line_config(tmp_path, 1, hooks=[dict(type='WaitHook')]), ))
    first.start()
    assert STARTED.wait(60)
    with pytest.raises(WorkDirInUseError, match=f'another training is running in {tmp_path}: process {first.pid} on '):
        train(line_config(tmp_path, 1))
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    (tmp_path / '.epoch_1.pth.abc.tmp').mkdir()
    train(line_config(tmp_path, 1))
    assert (tmp_path / 'epoch_1.pth').is_file()
    assert not (tmp_path / '.epoch_1.pth.abc.tmp').exists()
    assert (tmp_path / work_dir_lock.NAME).read_text() == ''


@pytest.fixture
def lock_of_another_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(work_dir_lock, 'WATCH_SECONDS', 1.0)
    path = tmp_path / work_dir_lock.NAME
    path.write_text(json.dumps(dict(pid=1, host='elsewhere', since='yesterday')))
    return path


def test_a_training_that_died_on_another_machine_is_replaced(tmp_path, lock_of_another_machine):
    with lock_work_dir(str(tmp_path)):
        assert json.loads(lock_of_another_machine.read_text())['pid'] == os.getpid()


def test_a_training_that_lives_on_another_machine_is_respected(tmp_path, lock_of_another_machine):
    """On a file system that does not pass on locks; the file is touched, as the other training does."""
    stopped = threading.Event()

    def beat():
        while not stopped.wait(.05):
            os.utime(lock_of_another_machine)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        message = f'process 1 on elsewhere, since yesterday.* delete {tmp_path}'
        with pytest.raises(WorkDirInUseError, match=message), lock_work_dir(str(tmp_path)):
            pytest.fail('two trainings in one folder')
    finally:
        stopped.set()
        thread.join()
