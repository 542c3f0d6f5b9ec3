"""Schedule, accumulation, weight decay, moving average and choice of the optimizer: Ultralytics' and a formula."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmseam.analysis.schedule_plot import largest_differences, read_schedule
from mmseam.analysis.schedule_trace import trace_schedule
from mmseam.engine import AccumulatingAmpOptimWrapper, AccumulatingOptimWrapper
from mmseam.registry import MODELS
from mmseam.utils.config import load_config

COCO, WIDER = 'yolo11_n_syncbn_fast_8xb16-500e_coco', 'yolo11_n_syncbn_fast_8xb16-250e_widerface'
# Recorded by `benchmarks/peer/training_driver.py trace` with Ultralytics 8.3.40, those of `LONG` with `--every 20`
PEER = json.loads(Path(__file__).with_name('ultralytics_schedules.json').read_text())
LONG = {WIDER: 'ultralytics_wider.json', COCO: 'ultralytics_coco.json'}


def shipped_config(images_per_batch, epochs, name=COCO, **schedule):
    cfg = load_config(name)
    cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size = epochs, images_per_batch
    cfg.default_hooks.param_scheduler.update(schedule)
    return cfg


def step_iterations(steps):
    return np.flatnonzero(np.diff(steps, prepend=0))


@pytest.mark.parametrize('peer', PEER, ids=lambda peer: '-'.join(str(peer[key]) for key in (
    'optimizer', 'images', 'batch', 'epochs')))
def test_shipped_schedule_is_ultralytics(peer):
    cfg = shipped_config(peer['batch'], peer['epochs'], auto_optimizer=peer['optimizer'] == 'auto')
    cfg.model.bbox_head.head_module.num_classes = peer['classes']
    trace = trace_schedule(cfg, peer['images'])
    expected = np.array([row for row, number in peer['settings'] for _ in range(number)], dtype=float)
    np.testing.assert_allclose(trace.rates, expected[:, :3], rtol=0, atol=1e-12)
    np.testing.assert_allclose(trace.momentum, expected[:, 3], rtol=0, atol=1e-12)  # NaN of AdamW included
    np.testing.assert_array_equal(trace.accumulation, expected[:, 4])
    intervals = [length for length, number in peer['step_intervals'] for _ in range(number)]
    np.testing.assert_array_equal(step_iterations(trace.steps), np.cumsum(intervals) - 1)
    assert trace.steps[-1] == peer['ema_updates'] and trace.optimizer == peer['chosen']
    assert trace.weight_decay == (pytest.approx(peer['weight_decay']), 0, 0)


@pytest.mark.parametrize('name', [WIDER, pytest.param(COCO, marks=pytest.mark.slow)])
def test_shipped_configs_at_full_length_are_ultralytics(name):
    """As shipped, 8 processes with 16 images each: 250 epochs of WIDER FACE, 500 of COCO."""
    cfg, peer = load_config(name), read_schedule(Path(__file__).with_name(LONG[name]))
    trace = trace_schedule(cfg, {WIDER: 12880, COCO: 117266}[name], 8)
    differences = largest_differences(trace, peer)
    assert set(differences) == {'rates', 'momentum', 'accumulation', 'stepped'} and max(differences.values()) < 1e-12
    assert trace.optimizer == peer.optimizer and trace.weight_decay == pytest.approx(peer.weight_decay)
    length = peer.num_iterations // cfg.train_cfg.max_epochs
    assert len(set(peer.iterations // length)) == cfg.train_cfg.max_epochs
    assert sum(peer.iterations < 3 * length) > 3 * length / 20


@pytest.mark.parametrize('name', [COCO, WIDER])
def test_processes_share_the_schedule_of_the_whole_batch(name):
    whole, parts = (trace_schedule(shipped_config(batch, 5, name), 600, processes)
                    for batch, processes in ((16, 1), (4, 4)))
    for one, other in zip(whole, parts):
        np.testing.assert_array_equal(one, other)


def test_batches_and_processes_share_steps_rates_and_weight_decay_of_each_epoch():
    """One process with 16 images, two with 8, and one with 8: 600 images are nine or ten optimizer steps."""
    traces = [trace_schedule(shipped_config(batch, 10), 600, processes)
              for batch, processes in ((16, 1), (8, 2), (8, 1))]
    assert [len(trace.steps) for trace in traces] == [380, 380, 750]
    for trace in traces:
        warmed_up = slice(3 * len(trace.steps) // 10 - 1, None, len(trace.steps) // 10)  # last iterations of epochs
        assert set(np.diff(trace.steps[warmed_up])) <= {9, 10}
        rates = .01 * (1 - np.arange(3, 10) / 10 * .99)
        np.testing.assert_allclose(trace.rates[warmed_up][1:], rates[:, None].repeat(3, 1), rtol=1e-12)
        assert trace.weight_decay == (5e-4, 0, 0) and set(trace.momentum[warmed_up][1:]) == {.937}


def test_long_trainings_keep_the_optimizer_of_the_config():
    trace = trace_schedule(shipped_config(64, 105, auto_optimizer=True), 64 * 100)
    assert trace.optimizer == 'SGD' and trace.rates[0, 2] == 0 and trace.rates.max() > .009


# ======================== A runner ========================
class Network(BaseModel):
    """A convolution with normalization; its loss is summed over images as YOLO's."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2)

    def forward(self, inputs, sample_idx, mode='loss'):
        images = torch.stack(list(inputs))
        return dict(loss=100 * (self.norm(self.conv(images)).mean((1, 2, 3)) - images.mean((1, 2, 3))).square().sum())


class Numbers(BaseDataset):

    def load_data_list(self):
        generator = torch.Generator().manual_seed(0)
        return [dict(inputs=torch.rand(1, 2, 2, generator=generator)) for _ in range(self.metainfo['number'])]


class Recorder(Hook):
    """What the optimizer is told in each iteration, and when it steps."""

    priority = 'VERY_LOW'

    def before_train(self, runner):
        self.rows, self.steps = [], []
        runner.optim_wrapper.optimizer.register_step_post_hook(lambda *args: self.steps.append(runner.iter))

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        groups = runner.optim_wrapper.optimizer.param_groups
        accumulation = runner.optim_wrapper._accumulative_counts
        self.rows.append([*(group['lr'] for group in groups), groups[0]['momentum'], accumulation])


def train(work_dir, images, batch, epochs, optim_wrapper='mmseam.AccumulatingOptimWrapper', **kwargs):
    """Train with the shipped schedule, warm-up of 2 epochs and at least 5 iterations."""
    cfg = load_config(COCO)
    cfg.optim_wrapper.type = optim_wrapper
    schedule = dict(cfg.default_hooks.param_scheduler, warmup_epochs=2, warmup_mim_iter=5)
    recorder = Recorder()
    runner = Runner(
        Network(), str(work_dir),
        train_dataloader=dict(
            batch_size=batch, sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(type=Numbers, serialize_data=False, metainfo=dict(number=images))),
        train_cfg=dict(by_epoch=True, max_epochs=epochs), optim_wrapper=cfg.optim_wrapper,
        default_hooks=dict(param_scheduler=schedule), custom_hooks=[cfg.custom_hooks[0], recorder],
        default_scope='mmyolo', experiment_name=f'{work_dir.name}_{epochs}_{len(kwargs)}', cfg=Config(), **kwargs)
    runner.train()
    return runner, recorder


def formula(images, batch, epochs):
    """Compute the schedule in plain arithmetic: rows like those of Recorder, and the iterations with a step."""
    length = -(-images // batch)
    warmup = max(2 * length, 5)
    rows, steps, last = [], [], -1
    for iteration in range(length * epochs):
        part = min(iteration / warmup, 1)
        rate = .01 * (1 - iteration // length / epochs * .99)
        accumulation = max(round(1 + part * (64 / batch - 1)), 1)
        rows.append([part * rate, part * rate, .1 + part * (rate - .1), .8 + part * .137, accumulation])
        if iteration - last >= accumulation:
            steps.append(iteration)
            last = iteration
    return rows, steps


@pytest.mark.parametrize('images, batch, epochs', [(60, 4, 6), (7, 2, 9), (1, 1, 3), (90, 24, 4), (200, 100, 5)])
def test_training_follows_the_formula(tmp_path, images, batch, epochs):
    runner, recorder = train(tmp_path, images, batch, epochs)
    rows, steps = formula(images, batch, epochs)
    np.testing.assert_allclose(recorder.rows, rows, rtol=1e-12, atol=1e-15)
    assert recorder.steps == steps
    average = torch.load(tmp_path / f'epoch_{epochs}.pth', weights_only=False)['ema_state_dict']
    assert average['steps'] == len(steps)


def test_resuming_within_the_warm_up_and_within_a_window_changes_nothing(tmp_path):
    whole, recorder = train(tmp_path / 'whole', 28, 4, 4)
    assert 6 not in recorder.steps  # the first epoch ends while gradients wait for a step
    resumed, second = train(tmp_path / 'resumed', 28, 4, 4, resume=True,
                            load_from=str(tmp_path / 'whole' / 'epoch_1.pth'))
    assert second.rows == recorder.rows[7:] and second.steps == [step for step in recorder.steps if step > 6]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


@pytest.mark.parametrize('batch, factor', [(4, 1), (8, 1), (24, 3)])
def test_auto_scale_lr_raises_rates_above_the_base_batch_size_and_lowers_none(tmp_path, batch, factor):
    recorder = train(tmp_path, 48, batch, 3, auto_scale_lr=dict(enable=True, base_batch_size=8))[1]
    rates, expected = np.array(recorder.rows)[:, :3], np.array(formula(48, batch, 3)[0])[:, :3]
    np.testing.assert_allclose(rates, factor * expected, rtol=1e-12)


def test_a_wrapper_that_cannot_accumulate_is_named_and_left_as_it_is(tmp_path):
    runner, recorder = train(tmp_path, 8, 4, 2, optim_wrapper='OptimWrapper')
    log, = tmp_path.rglob('*.log')
    assert recorder.steps == list(range(4)) and 'use mmseam.AccumulatingOptimWrapper' in log.read_text()
    assert runner.optim_wrapper.optimizer.param_groups[0]['weight_decay'] == 5e-4


def test_a_second_batch_size_that_differs_is_refused():
    cfg = shipped_config(8, 3)
    cfg.optim_wrapper.optimizer.batch_size_per_gpu = 16
    with pytest.raises(ValueError, match='batch_size_per_gpu is 16, but train_dataloader gives 8 images'):
        trace_schedule(cfg, 100)


# ======================== Gradients ========================
DATA = torch.randn(16, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def linear():
    return torch.nn.Linear(3, 1, dtype=torch.float64)


def train_linear(model, data, parts, wrapper_type=AccumulatingOptimWrapper):
    """Three steps on ``data`` in so many parts, with a gradient far above the norm to clip at; returns the weights."""
    model.load_state_dict({name: torch.full_like(value, .5) for name, value in model.state_dict().items()})
    wrapper = wrapper_type(optimizer=torch.optim.SGD(model.parameters(), lr=.01, momentum=.9),
                           accumulative_counts=parts, clip_grad=dict(max_norm=10.))
    for batch in [*data.chunk(parts)] * 3:
        with wrapper.optim_context(model):
            # As YOLO's: a sum over images times the number of processes, by which the gradients are divided
            loss = 1000 * get_world_size() * model(batch).square().sum()
        wrapper.update_params(loss)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def assert_same_weights(found, expected):
    assert (expected - .5).abs().min() > .01
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize('parts', [2, 4])
@pytest.mark.parametrize('wrapper_type', [AccumulatingOptimWrapper, AccumulatingAmpOptimWrapper])
def test_accumulated_gradients_step_like_those_of_the_whole_batch(parts, wrapper_type, monkeypatch):
    """Summed, then clipped. Without CUDA, PyTorch's loss scaler passes everything on; doubles stay doubles."""
    monkeypatch.setattr('mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available', lambda: True)
    found = train_linear(linear(), DATA, parts, wrapper_type)
    assert_same_weights(found, train_linear(linear(), DATA, 1))


def train_on_part():
    """Entry of each process of the test below: its half of each of two batches."""
    torch.distributed.init_process_group('gloo')
    rank = get_rank()
    data = torch.cat([batch.chunk(2)[rank] for batch in DATA.chunk(2)])
    weights = train_linear(MMDistributedDataParallel(linear()), data, 2)
    torch.save(weights, f'{sys.argv[1]}_{rank}.pt')
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_two_processes_that_accumulate_step_like_one_on_the_whole_batch(tmp_path):
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', __file__,
               str(tmp_path / 'weights')]
    ran = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS='1'),
                         timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr
    expected = train_linear(linear(), DATA, 1)
    for rank in range(2):
        assert_same_weights(torch.load(tmp_path / f'weights_{rank}.pt'), expected)


def test_every_parameter_of_a_detector_is_trained():
    """The groups of the constructor hold each parameter once, plugins' included."""
    cfg = load_config('yolo11_n_multiseam_syncbn_fast_8xb16-500e_coco')
    with DefaultScope.overwrite_default_scope('mmyolo'):
        model = MODELS.build(cfg.model)
        groups = build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups
    grouped = [id(parameter) for group in groups for parameter in group['params']]
    assert len(grouped) == len(set(grouped)) and set(grouped) == {id(parameter) for parameter in model.parameters()}


if __name__ == '__main__':
    train_on_part()
