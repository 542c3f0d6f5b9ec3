"""Trainings that are stopped and resumed."""
import multiprocessing
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from line_training import line_config
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from tiny_training import write_tiny_training

from mmseam.compat.safe_checkpoints import load_checkpoint_file
from mmseam.engine.loops.seeding import seed_generators
from mmseam.engine.training import train
from mmseam.utils.config import load_config, set_launcher
from mmseam.utils.interruption import Interrupted

AUGMENTATION = """
_base_ = './tiny_face.py'

mosaic = dict(
    type='mmseam.MosaicAffine', img_scale=(64, 64), pad_val=114.0, pre_transform=_base_.pre_transform,
    use_cached=True, max_cached_images=4, max_rotate_degree=0.0, max_shear_degree=0.0)
train_pipeline = [*_base_.pre_transform, mosaic, *_base_.last_transform]
train_dataloader = dict(
    batch_size=4, num_workers={workers}, persistent_workers={workers} > 0, dataset=dict(pipeline=train_pipeline))
train_pipeline_stage2 = train_pipeline
train_cfg = dict(max_epochs=4, val_interval=2)
default_hooks = dict(checkpoint=dict(interval=2))
"""


@HOOKS.register_module()
class SignalHook(Hook):
    """Send a signal to this process in a training iteration or in the validation after an epoch."""

    def __init__(self, number: int, train_iter: int = -1, val_epoch: int = -1, times: int = 1):
        self.number, self.train_iter, self.val_epoch, self.times = number, train_iter, val_epoch, times

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.train_iter:
            self._send()

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        if runner.epoch == self.val_epoch and batch_idx == 1:
            self._send()

    def _send(self):
        for _ in range(self.times):
            os.kill(os.getpid(), self.number)


@HOOKS.register_module()
class SamplesHook(Hook):
    """Note the samples of each batch, and the epochs that are validated."""

    samples, validated = [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.samples.append((runner.epoch, batch_idx, int(data_batch['sample_idx'][0])))

    def after_val_epoch(self, runner, metrics=None):
        self.validated.append(runner.epoch)


@pytest.fixture(scope='module')
def folder(tmp_path_factory, repo) -> Path:
    folder = tmp_path_factory.mktemp('tiny')
    write_tiny_training(folder, repo / 'configs/yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py')
    for name, workers in (('main', 0), ('workers', 2)):
        (folder / f'{name}_process.py').write_text(AUGMENTATION.format(workers=workers))
    return folder


def config(folder: Path, name: str, work_dir: Path) -> Config:
    return load_config(folder / f'{name}_process.py', work_dir=str(work_dir))


@pytest.fixture(scope='module')
def undisturbed(folder):
    """Work folders of undisturbed trainings, one per way to load data."""
    finished = {}

    def get(name: str) -> Path:
        if name not in finished:
            train(config(folder, name, folder / name))
            finished[name] = folder / name
        return finished[name]

    return get


def resume(folder: Path, name: str, work_dir: Path) -> None:
    cfg = config(folder, name, work_dir)
    cfg.resume = 'auto'
    train(cfg)


def assert_equal(first: Path, second: Path) -> None:
    """All weights, averages and states of the optimizer are the same to the last bit."""
    contents = [load_checkpoint_file(path, 'cpu') for path in (first, second)]
    for key in ('state_dict', 'ema_state_dict', 'optimizer'):
        torch.testing.assert_close(*(content[key] for content in contents), rtol=0, atol=0)


@pytest.mark.parametrize('name', ['main', 'workers'])
def test_resumed_equals_undisturbed_to_the_last_bit(folder, undisturbed, tmp_path, name):
    """With mosaic, flips and colors, and with a seed that only the checkpoint knows."""
    shutil.copy(undisturbed(name) / 'epoch_2.pth', tmp_path)
    resume(folder, name, tmp_path)
    assert_equal(undisturbed(name) / 'epoch_4.pth', tmp_path / 'epoch_4.pth')


def random_numbers() -> tuple:
    return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002


def test_each_epoch_process_and_worker_has_random_numbers_of_its_own():
    drawn = []
    for key in [(0, 0, 0, 0), (0, 1, 0, 0), (1, 0, 0, 0), (0, 0, 0, 1)]:
        seed_generators(*key, 0)
        drawn.append(random_numbers())
    assert len({number for numbers in drawn for number in numbers}) == 3 * len(drawn)
    seed_generators(0, 0, 0, 0, 0)
    assert random_numbers() == drawn[0]


@pytest.fixture
def line(tmp_path):
    """Train a line with a moving average; what the training has seen and which epochs it has validated."""

    def run(name: str, resume: bool = False, interval: int = 1, **signal_hook) -> tuple:
        hooks = [dict(type='SamplesHook'), dict(type='EMAHook', momentum=.5)]
        hooks += [dict(type='SignalHook', **signal_hook)] if signal_hook else []
        cfg = line_config(tmp_path / name, 3, hooks=hooks, checkpoint=dict(interval=interval))
        cfg.train_dataloader.dataset.number = 5
        cfg.resume = 'auto' if resume else False
        SamplesHook.samples, SamplesHook.validated = [], []
        try:
            train(cfg)
        finally:
            run.samples, run.validated = SamplesHook.samples, SamplesHook.validated
        return run.samples, run.validated

    return run


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_after_the_step_and_resuming_goes_on_with_the_rest_of_the_epoch(line, tmp_path, number):
    with pytest.raises(Interrupted) as stopped:
        line('stopped', number=number, train_iter=7)
    checkpoint = tmp_path / 'stopped' / 'interrupted.pth'
    assert stopped.value.number == number
    assert str(stopped.value) == f'epoch 2 of 3, iteration 8; --resume continues from {checkpoint}'
    before = line.samples
    after, validated = line('stopped', resume=True)
    assert validated == [2, 3]
    assert not checkpoint.exists()

    undisturbed, _ = line('undisturbed')
    assert [len(before), len(after)] == [8, 7]
    # The seed of this training is another one
    assert [entry[:2] for entry in before + after] == [entry[:2] for entry in undisturbed]
    assert sorted(sample for epoch, _, sample in before + after if epoch == 1) == list(range(5))
    assert_equal(tmp_path / 'undisturbed' / 'epoch_3.pth', tmp_path / 'stopped' / 'epoch_3.pth')


@pytest.mark.parametrize('interval', [1, 3])
def test_a_signal_in_a_validation_loses_nothing_and_the_validation_is_repeated(line, tmp_path, interval):
    """Also where the epoch has not been saved; the moving average is in the model's place meanwhile."""
    with pytest.raises(Interrupted, match='epoch 2 of 3, iteration 10'):
        line('stopped', interval=interval, number=signal.SIGTERM, val_epoch=2)
    assert line.validated == [1]
    assert (tmp_path / 'stopped' / 'interrupted.pth').exists() is (interval == 3)
    samples, validated = line('stopped', resume=True, interval=interval)
    assert [len(samples), validated] == [5, [2, 3]]
    line('undisturbed')
    assert_equal(tmp_path / 'undisturbed' / 'epoch_3.pth', tmp_path / 'stopped' / 'epoch_3.pth')


def test_a_second_ctrl_c_stops_at_once(line, tmp_path):
    with pytest.raises(KeyboardInterrupt) as stopped:
        line('stopped', number=signal.SIGINT, train_iter=7, times=2)
    assert not isinstance(stopped.value, Interrupted)
    assert not (tmp_path / 'stopped' / 'interrupted.pth').exists()


def test_after_the_end_signals_are_as_before(line):
    line('done')
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def train_one_of_two(rank: int, port: int, work_dir: Path, resume: bool) -> None:
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2')
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    hooks = [dict(type='SignalHook', number=signal.SIGTERM, train_iter=3)] if rank and not resume else []
    cfg = line_config(work_dir, 2, hooks=hooks)
    cfg.train_dataloader.dataset.number = 60
    cfg.resume = 'auto' if resume else False
    set_launcher(cfg, 'pytorch', rank)
    try:
        train(cfg)
    except Interrupted as interruption:
        sys.exit(interruption.number)


def run_two(*arguments) -> list:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context('fork')
    processes = [context.Process(target=train_one_of_two, args=(rank, port, *arguments)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


def test_processes_stop_together_when_one_of_them_gets_a_signal(tmp_path):
    assert run_two(tmp_path, False) == [signal.SIGTERM, signal.SIGTERM]
    meta = load_checkpoint_file(tmp_path / 'interrupted.pth')['meta']
    assert [meta['epoch'], meta['iter']] == [0, 10]
    assert run_two(tmp_path, True) == [0, 0]
    assert load_checkpoint_file(tmp_path / 'epoch_2.pth')['meta']['iter'] == 60


WORKERS = """
from torch.utils.data import DataLoader
from mmseam.engine.loops.seeding import init_worker, kill_workers_at_exit
kill_workers_at_exit()
loader = DataLoader(list(range(4)), num_workers=1, persistent_workers=True, worker_init_fn=init_worker)
print(len(list(loader)), flush=True)
"""


def test_a_process_ends_although_its_workers_ignore_signals():
    process = subprocess.run([sys.executable, '-c', WORKERS], capture_output=True, text=True, timeout=600, check=True)
    assert process.stdout == '4\n' and 'killed' not in process.stderr
