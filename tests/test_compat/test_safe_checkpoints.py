"""Checkpoints of MMEngine load with weights_only=True; what would run code, or forge memory, does not."""
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.registry import METRICS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

pytestmark = pytest.mark.skipif(
    tuple(int(number) for number in torch.__version__.split('.')[:2]) < (2, 6),
    reason='this PyTorch loads without a list of safe names')


class TinyModel(BaseModel):
    """One linear layer that learns to answer 0."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, x, mode='tensor'):
        output = self.linear(torch.stack(x))
        return dict(loss=output.square().mean()) if mode == 'loss' else output


class TinyDataset(Dataset):
    """Four vectors."""
    metainfo = dict(classes=('face', ), palette=[(1, 2, 3)])

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(x=torch.full((2, ), float(index)))


class NumPyMetric(BaseMetric):
    """Scores are NumPy scalars, as pycocotools returns them."""

    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        return dict(ap=np.float64(.5), count=np.int64(3))


METRICS.register_module(module=NumPyMetric, force=True)


def train(work_dir, max_epochs, resume=False):
    """Two iterations an epoch, with all that leaves a trace in a checkpoint: EMA, schedules, AdamW, best score, log."""
    loader = dict(batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False), dataset=TinyDataset())
    runner = Runner(
        TinyModel(),
        str(work_dir),
        train_dataloader=loader,
        val_dataloader=dict(loader),
        val_evaluator=dict(type='NumPyMetric'),
        val_cfg=dict(),
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=.1)),
        param_scheduler=[
            dict(type='LinearLR', start_factor=.1, by_epoch=False, end=2),
            dict(type='CosineAnnealingLR', T_max=2),
            dict(type='OneCycleLR', eta_max=.1, total_steps=20, by_epoch=False)
        ],
        custom_hooks=[dict(type='EMAHook')],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1, save_best='ap', rule='greater')),
        resume=resume,
        experiment_name=f'{Path(work_dir).name}_{max_epochs}_{os.getpid()}')
    runner.train()
    return runner


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A run of one epoch."""
    return train(tmp_path_factory.mktemp('trained'), 1)


def test_checkpoint_loads_safely(trained):
    checkpoint = torch.load(Path(trained.work_dir, 'epoch_1.pth'), weights_only=True)
    loss = checkpoint['message_hub']['log_scalars']['train/loss']
    values, counts = loss.data
    assert isinstance(loss, HistoryBuffer) and values.dtype == np.float64
    assert values.tolist() == trained.message_hub.get_scalar('train/loss').data[0].tolist()
    assert counts.tolist() == [1, 1]
    assert loss.statistics('mean') == pytest.approx(values.mean()) and values.min() > 0
    assert {'ema_state_dict', 'optimizer', 'param_schedulers'} <= set(checkpoint)
    best = torch.load(Path(trained.work_dir, 'best_ap_epoch_1.pth'), weights_only=True)
    assert best['message_hub']['runtime_info']['best_score'] == .5


def test_training_resumes_in_this_process(trained):
    resumed = train(trained.work_dir, 2, resume=True)
    assert (resumed.epoch, resumed.iter) == (2, 4)
    # The log goes on where it stopped: the first two losses are those of the first run.
    losses = resumed.message_hub.get_scalar('train/loss').data[0].tolist()
    assert len(losses) == 4 and losses[:2] == trained.message_hub.get_scalar('train/loss').data[0].tolist()


def test_training_resumes_in_a_second_process(tmp_path):
    train(tmp_path, 1)
    code = ('import mmseam, sys; sys.path.insert(0, sys.argv[1]); from test_safe_checkpoints import train; '
            'runner = train(sys.argv[2], 2, resume=True); '
            'print("resumed", runner.epoch, runner.iter, len(runner.message_hub.get_scalar("train/loss").data[0]))')
    done = subprocess.run([sys.executable, '-c', code, str(Path(__file__).parent), str(tmp_path)],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'resumed 2 4 4'


@pytest.mark.parametrize('module', ['numpy.core.multiarray', 'numpy._core.multiarray'])
def test_arrays_of_numpy_1_and_2_load(tmp_path, module):
    """The two NumPys write two names for the same function; the pickle's text is changed to either."""
    expected = [np.arange(6, dtype=np.int32).reshape(2, 3), np.float32([.5]), np.array([True, False]), np.float64(2.5)]
    path = tmp_path / 'arrays.pth'
    torch.save(expected, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    assert b'multiarray\n' in data
    data = data.replace(b'numpy._core.multiarray\n', b'numpy.core.multiarray\n')
    path.write_bytes(data.replace(b'numpy.core.multiarray\n', module.encode() + b'\n'))
    loaded = torch.load(path, weights_only=True)
    for one, other in zip(loaded, expected):
        assert np.array_equal(one, other) and one.dtype == other.dtype and type(one) is type(other)


class Call:
    """Pickles as a call, which is what makes a pickle dangerous."""

    def __init__(self, function, *args, state=None):
        self.parts = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize('payload', [
    Call(os.system, 'echo'),
    Call(eval, '1'),
    Call(getattr, HistoryBuffer, '__init__'),
    Call(getattr, HistoryBuffer, '__subclasses__'),
    Call(getattr, torch.Tensor, 'min'),
    Call(np.dtype, 'O'),
    Call(np.dtype, 'V8'),
    np.array([print], dtype=object),
    np.array(['text']),
], ids=['system', 'eval', 'getattr init', 'getattr dunder', 'getattr tensor', 'object dtype', 'void dtype',
        'object array', 'text array'])
def test_what_mmengine_never_writes_is_refused(tmp_path, payload):
    torch.save(dict(state_dict={}, message_hub=payload), tmp_path / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / 'bad.pth')


def test_no_checkpoint_makes_an_object_array_of_raw_bytes(tmp_path):
    """numpy.ndarray((1,), 'O', buffer) makes Python objects of raw memory, so the name must not mean numpy.ndarray."""
    torch.save(Call(np.ndarray, (1, ), 'O', bytearray(8)), tmp_path / 'forged.pth')
    assert torch.load(tmp_path / 'forged.pth').dtype == np.float64


def test_no_checkpoint_changes_a_dtype(tmp_path):
    """The last number of a dtype's state is its flags; 63 would make numbers pass for objects."""
    torch.save(Call(np.dtype, 'f8', False, True, state=(3, '<', None, None, None, -1, -1, 63)), tmp_path / 'flags.pth')
    loaded = torch.load(tmp_path / 'flags.pth')
    assert loaded.flags == 0 and not loaded.hasobject and np.dtype('f8').flags == 0


def test_weights_only_stays_the_default(tmp_path):
    torch.save(Call(os.system, 'echo'), tmp_path / 'bad.pth')
    with pytest.raises(pickle.UnpicklingError, match='Weights only load failed'):
        torch.load(tmp_path / 'bad.pth')
