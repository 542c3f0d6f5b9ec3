"""Checkpoints that are whole at any moment, and the choice of the one to resume from."""
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from full_disk import small_files
from line_training import NUM_BATCHES, line_config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from tiny_training import write_tiny_training

from mmseam.compat.safe_checkpoints import load_checkpoint_file
from mmseam.engine.hooks.check_invalid_loss_hook import InvalidLossError
from mmseam.engine.resuming import find_resume_point
from mmseam.engine.training import train
from mmseam.utils.atomic_write import WriteError
from mmseam.utils.config import ConfigError

FORK = multiprocessing.get_context('fork')


def files(folder: Path) -> set:
    """Names of checkpoints, whole or not."""
    return {path.name for path in folder.iterdir() if '.pth' in path.name}


def load(path: Path) -> dict:
    return load_checkpoint_file(path, 'cpu')


def resume(cfg):
    cfg.resume = 'auto'
    return train(cfg)


def log_of(folder: Path) -> str:
    return ''.join(path.read_text() for path in sorted(folder.glob('*/*.log')))


@HOOKS.register_module()
class SpoilHook(Hook):
    """Spoil something in one iteration: the weights, the input or the gradients."""

    priority = 'VERY_HIGH'

    def __init__(self, what: str, train_iter: int):
        self.what, self.train_iter = what, train_iter

    def before_train(self, runner):
        runner.optim_wrapper.optimizer.register_step_pre_hook(self._spoil_gradients)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.now = runner.iter == self.train_iter
        if self.now and self.what == 'weights':
            runner.model.weight.data.fill_(float('nan'))
        if self.now and self.what == 'input':
            data_batch['inputs'][0].fill_(float('inf'))

    def _spoil_gradients(self, optimizer, *args):
        if self.now and self.what == 'gradients':
            optimizer.param_groups[0]['params'][0].grad.fill_(float('nan'))


@HOOKS.register_module()
class ProgressHook(Hook):
    """Tell another process which epochs are done, and which are saved for certain."""

    priority = 'LOWEST'

    def __init__(self, number: int):
        self.number = number

    def after_train_epoch(self, runner):
        PROGRESS[self.number] = runner.epoch + 1


PROGRESS = FORK.Array('i', 2)


def test_old_checkpoints_are_deleted_and_the_last_and_best_stay(tmp_path):
    train(line_config(tmp_path, 4, checkpoint=dict(max_keep_ckpts=2)))
    assert files(tmp_path) == {'epoch_3.pth', 'epoch_4.pth', 'best_line_AP_epoch_4.pth'}
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_4.pth')
    assert not list(tmp_path.glob('.*.tmp'))


def test_the_best_of_several_metrics_and_iterations(tmp_path):
    saving = dict(by_epoch=False, interval=3, save_best=['line/AP', 'line/loss'], rule=['greater', 'less'])
    train(line_config(tmp_path, 2, checkpoint=saving))
    assert files(tmp_path) == {'iter_8.pth', 'best_line_AP_iter_8.pth', 'best_line_loss_iter_8.pth'}


@pytest.mark.parametrize('damage', ['empty', 'missing', 'dangling', 'half', 'moved', 'gone'])
def test_resuming_falls_back_to_the_newest_checkpoint_that_loads(tmp_path, damage):
    folder = tmp_path / 'run'
    train(line_config(folder, 3, checkpoint=dict(max_keep_ckpts=2)))
    pointer, newest = folder / 'last_checkpoint', folder / 'epoch_3.pth'
    expected = 3
    if damage == 'empty':
        pointer.write_text('')
    elif damage == 'missing':
        pointer.unlink()
    elif damage == 'dangling':
        pointer.write_text(str(folder / 'epoch_9.pth'))
    elif damage == 'half':
        newest.write_bytes(newest.read_bytes()[:1000])
        expected = 2
    elif damage == 'gone':
        newest.unlink()
        expected = 2
    else:
        folder = folder.rename(tmp_path / 'moved')
    resume(line_config(folder, 4, checkpoint=dict(max_keep_ckpts=2)))
    text = log_of(folder)
    assert f'continuing from {folder / f"epoch_{expected}.pth"}' in text
    assert ('because' in text) is (damage != 'moved')
    assert f'resumed epoch: {expected}, iter: {expected * NUM_BATCHES}' in text
    assert load(folder / 'epoch_4.pth')['meta']['epoch'] == 4


def test_resuming_without_a_checkpoint_starts_anew_and_says_so(tmp_path):
    resume(line_config(tmp_path, 1))
    assert f'{tmp_path} holds no checkpoint to resume from; the training starts at epoch 1' in log_of(tmp_path)
    assert (tmp_path / 'epoch_1.pth').is_file()


def test_resuming_from_nothing_but_damaged_checkpoints_is_refused(tmp_path):
    (tmp_path / 'epoch_1.pth').write_bytes(b'')
    torch.save(dict(meta={}, state_dict={}), tmp_path / 'epoch_2.pth')
    with pytest.raises(ConfigError, match='no checkpoint in .* can be resumed from') as error:
        resume(line_config(tmp_path, 1))
    assert 'epoch_2.pth: it was not saved for resuming, optimizer is missing' in str(error.value)
    assert 'epoch_1.pth: it does not load' in str(error.value)


def test_a_full_disk_leaves_the_earlier_checkpoint_and_names_the_file(tmp_path):
    train(line_config(tmp_path, 1, size=10_000))
    before = load(tmp_path / 'epoch_1.pth')
    with small_files(30_000), pytest.raises(WriteError, match=f'while writing {tmp_path / "epoch_2.pth"}: '):
        resume(line_config(tmp_path, 2, size=10_000))
    assert files(tmp_path) == {'epoch_1.pth', 'best_line_AP_epoch_1.pth'}
    torch.testing.assert_close(load(tmp_path / 'epoch_1.pth')['state_dict'], before['state_dict'], rtol=0, atol=0)
    resume(line_config(tmp_path, 2, size=10_000))
    assert files(tmp_path) == {'epoch_2.pth', 'best_line_AP_epoch_2.pth'}


@pytest.mark.parametrize('what', ['weights', 'input', 'gradients'])
def test_nothing_invalid_is_saved(tmp_path, what):
    """The gradients become invalid in the last iteration of the epoch, whose loss is still a number."""
    spoil = dict(type='SpoilHook', what=what, train_iter=2 * NUM_BATCHES - 1)
    hooks = [spoil, dict(type='mmseam.CheckInvalidLossHook')]
    found = 'are NaN or infinite after iteration 8, the first is weight. They are not saved'
    if what != 'gradients':
        found = rf'iteration 8 \(epoch 2\): .*loss_line (nan|inf). The last checkpoint is {tmp_path / "epoch_1.pth"}'
    with pytest.raises(InvalidLossError, match=found):
        train(line_config(tmp_path, 4, hooks=hooks))
    assert files(tmp_path) == {'epoch_1.pth', 'best_line_AP_epoch_1.pth'}


@pytest.mark.parametrize('what', ['input', 'gradients'])
def test_invalid_steps_are_skipped_a_limited_number_of_times(tmp_path, what):
    def hooks(most):
        return [*(dict(type='SpoilHook', what=what, train_iter=i) for i in (2, 5)),
                dict(type='mmseam.CheckInvalidLossHook', max_skipped_steps=most)]

    train(line_config(tmp_path / 'two', 4, hooks=hooks(2)))
    weight = load(tmp_path / 'two' / 'epoch_4.pth')['state_dict']['weight']
    assert 0.5 < weight < 1.5
    assert 'skipped step 2 of at most 2 with an invalid loss or gradient: iteration 6' in log_of(tmp_path / 'two')
    with pytest.raises(InvalidLossError, match='iteration 6'):
        train(line_config(tmp_path / 'one', 4, hooks=hooks(1)))


def test_killed_at_any_moment_it_resumes_at_most_one_epoch_back(tmp_path):
    """Trainings are killed at random moments, many of them while the last or the best checkpoint is written."""
    generator = random.Random(0)
    PROGRESS[0] = 0
    for _ in range(20):
        hooks = [dict(type='ProgressHook', number=0)]
        process = FORK.Process(target=resume, args=(line_config(tmp_path, 10_000, size=300_000, hooks=hooks), ))
        before = PROGRESS[0]
        process.start()
        while PROGRESS[0] < before + 2 and process.is_alive():  # the first ones load what the last one left
            time.sleep(.005)
        time.sleep(generator.uniform(0, .3))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        pointer = Path((tmp_path / 'last_checkpoint').read_text())
        assert load(pointer)['meta']['epoch'] >= PROGRESS[0] - 1
        assert all(load(path) for path in tmp_path.glob('*.pth')), 'a file under its final name is whole'
        assert list(tmp_path.glob('best_*.pth'))
    resume(line_config(tmp_path, PROGRESS[0] + 2, size=300_000))
    assert not list(tmp_path.glob('.*.tmp'))


def start_training(config: Path, work_dir: Path) -> subprocess.Popen:
    command = [sys.executable, 'tools/train.py', str(config), '--work-dir', str(work_dir), '--resume', '--cfg-options',
               'train_cfg.max_epochs=1000', 'default_hooks.checkpoint.save_best=auto']
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def wait_for_a_write(work_dir: Path, process: subprocess.Popen) -> None:
    """Until the folder of a temporary file appears."""
    before = set(work_dir.glob('.*.tmp'))
    while not set(work_dir.glob('.*.pth.*.tmp')) - before:
        assert process.poll() is None
        time.sleep(.001)


@pytest.mark.slow
def test_a_real_training_is_killed_around_twenty_saves(tmp_path, repo, monkeypatch):
    """Each time from 10 ms before to 400 ms after the beginning of a write, of the last or the best checkpoint."""
    monkeypatch.chdir(repo)
    config = write_tiny_training(tmp_path, repo / 'configs/yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py')
    work_dir, generator, epochs, hits = tmp_path / 'run', random.Random(1), [], []
    for attempt in range(20):
        process = start_training(config, work_dir)
        for _ in range(1 + attempt % 3):  # the last, the best, the last with the best's name, …
            wait_for_a_write(work_dir, process)
            time.sleep(generator.uniform(0, .4))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        saved = re.findall(r'Saving checkpoint at (\d+) epochs', log_of(work_dir))
        point = find_resume_point(str(work_dir)) if list(work_dir.glob('*.pth')) else None
        epochs.append((load(Path(point.checkpoint))['meta']['epoch'] if point else 0, int(saved[-1])))
        hits.append([path.name for path in work_dir.glob('.*.tmp')])
        assert all(load(path) for path in work_dir.glob('*.pth'))
    print('resumed from epoch / last epoch:', epochs, 'killed while writing:', hits)
    assert all(last - resumed <= 1 for resumed, last in epochs)
    assert sum(map(bool, hits)) >= 5
