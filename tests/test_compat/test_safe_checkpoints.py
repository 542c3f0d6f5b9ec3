"""MMEngine loads its own checkpoints on every version of PyTorch; what would run code, or forge memory, it does not."""
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from crafted_pickles import Call
from mmengine.evaluator import BaseMetric
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.optim import MultiStepLR
from mmengine.registry import METRICS
from mmengine.runner import CheckpointLoader, Runner
from torch import nn
from torch.utils.data import Dataset

from mmseam.compat.safe_checkpoints import CheckpointFileError, protect_checkpoint_loaders


def load(path):
    """Load as MMEngine does."""
    return CheckpointLoader.load_checkpoint(str(path), 'cpu', logger='silent')


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
    """Train for one epoch."""
    return train(tmp_path_factory.mktemp('trained'), 1)


def test_checkpoint_loads_safely(trained):
    checkpoint = load(Path(trained.work_dir, 'epoch_1.pth'))
    loss = checkpoint['message_hub']['log_scalars']['train/loss']
    values, counts = loss.data
    assert isinstance(loss, HistoryBuffer) and values.dtype == np.float64
    assert values.tolist() == trained.message_hub.get_scalar('train/loss').data[0].tolist()
    assert counts.tolist() == [1, 1]
    assert loss.statistics('mean') == pytest.approx(values.mean()) and values.min() > 0
    assert {'ema_state_dict', 'optimizer', 'param_schedulers'} <= set(checkpoint)
    best = load(Path(trained.work_dir, 'best_ap_epoch_1.pth'))
    assert best['message_hub']['runtime_info']['best_score'] == .5


def test_training_resumes_in_this_process(trained):
    resumed = train(trained.work_dir, 2, resume=True)
    assert (resumed.epoch, resumed.iter) == (2, 4)
    # The log goes on where it stopped: the first two losses are those of the first run.
    losses = resumed.message_hub.get_scalar('train/loss').data[0].tolist()
    assert len(losses) == 4 and losses[:2] == trained.message_hub.get_scalar('train/loss').data[0].tolist()


def test_training_resumes_in_a_second_process(tmp_path):
    train(tmp_path, 1)
    code = ('import mmseam, sys; sys.path[:0] = sys.argv[2:]; from test_safe_checkpoints import train; '
            'runner = train(sys.argv[1], 2, resume=True); '
            'print("resumed", runner.epoch, runner.iter, len(runner.message_hub.get_scalar("train/loss").data[0]))')
    done = subprocess.run([sys.executable, '-c', code, str(tmp_path), *map(str, Path(__file__).parents[:2])],
                          capture_output=True, text=True, timeout=600)
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
    loaded = load(path)
    for one, other in zip(loaded, expected):
        assert np.array_equal(one, other) and one.dtype == other.dtype and type(one) is type(other)


def test_tensors_of_all_kinds_load(tmp_path):
    matrix = torch.randn(4, 6)
    expected = dict(matrix=matrix, part=matrix[1:3, ::2], transposed=matrix.t(), empty=torch.empty(0, 3),
                    scalar=torch.tensor(2), parameter=nn.Parameter(torch.ones(3)), half=torch.ones(2).bfloat16(),
                    truth=torch.tensor([True, False]), complex=torch.ones(2, dtype=torch.complex64))
    for zipped in (True, False):
        path = tmp_path / f'{zipped}.pth'
        torch.save(expected, path, _use_new_zipfile_serialization=zipped)
        loaded = load(path)
        assert list(loaded) == list(expected)
        for key, tensor in expected.items():
            assert torch.equal(loaded[key], tensor) and loaded[key].dtype == tensor.dtype
            assert loaded[key].stride() == tensor.stride()
        loaded['matrix'].zero_()
        assert not loaded['part'].any(), 'these shared their numbers'


def test_state_dict_keeps_the_versions_of_its_layers(tmp_path):
    torch.save(dict(state_dict=nn.BatchNorm2d(2).state_dict()), tmp_path / 'a.pth')
    assert load(tmp_path / 'a.pth')['state_dict']._metadata == {'': dict(version=2)}


def test_milestones_of_the_schedules_of_mmdet_load(tmp_path):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.)
    state = MultiStepLR(optimizer, milestones=[8, 11]).state_dict()
    torch.save(dict(state_dict={}, param_schedulers=[state]), tmp_path / 'a.pth')
    loaded = load(tmp_path / 'a.pth')['param_schedulers'][0]
    assert loaded == state and loaded['milestones'] == Counter([8, 11])


@pytest.mark.parametrize('payload', [
    Call(Counter, 'abc'),
    Call(Counter, {'a': [1]}),
    Call(getattr, HistoryBuffer, '__init__'),
    Call(getattr, HistoryBuffer, '__subclasses__'),
    Call(getattr, torch.Tensor, 'min'),
    Call(np.ndarray, (1, ), 'O', bytearray(8)),
    np.array([print], dtype=object),
    np.array(['text']),
], ids=['counter text', 'counter lists', 'getattr init', 'getattr dunder', 'getattr tensor', 'forged array',
        'object array', 'text array'])
def test_what_mmengine_never_writes_is_refused(tmp_path, payload):
    torch.save(dict(state_dict={}, message_hub=payload), tmp_path / 'bad.pth')
    with pytest.raises(CheckpointFileError, match=r'bad\.pth'):
        load(tmp_path / 'bad.pth')


@pytest.mark.parametrize('content', [dict(meta=[1]), dict(state_dict=[1]), dict(meta=dict(dataset_meta=3))])
def test_parts_of_the_wrong_kind_are_refused(tmp_path, content):
    torch.save(content, tmp_path / 'odd.pth')
    with pytest.raises(CheckpointFileError, match=r'odd\.pth: damaged'):
        load(tmp_path / 'odd.pth')


@pytest.mark.parametrize('edit', [
    lambda data: data[:len(data) // 2],  # an incomplete download
    lambda data: data.replace(b'K\x02K\x03\x86', b'K\xffK\xff\x86'),  # sizes beyond the numbers
    lambda data: data[:-8] if data[:2] != b'PK' else data[:600],
])
@pytest.mark.parametrize('zipped', [True, False])
def test_damaged_checkpoint_is_named(tmp_path, edit, zipped):
    path = tmp_path / 'damaged.pth'
    torch.save(dict(state_dict=dict(a=torch.ones(2, 3))), path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(edit(path.read_bytes()))
    with pytest.raises(CheckpointFileError, match=r'damaged\.pth: '):
        load(path)


def test_old_torch_load_is_never_asked(trained, monkeypatch):
    """Below PyTorch 2.6 it executes pickles."""
    monkeypatch.setattr(torch, 'load', None)
    assert load(Path(trained.work_dir, 'epoch_1.pth'))['meta']['epoch'] == 1


def test_config_in_a_checkpoint_is_not_executed(trained, tmp_path):
    """MMEngine's resume runs the text under ``meta['config']``, where checkpoints of MMCV have their config."""
    marker = tmp_path / 'marker'
    checkpoint = load(Path(trained.work_dir, 'epoch_1.pth'))
    checkpoint['meta']['config'] = f"open({str(marker)!r}, 'w').close()"
    torch.save(checkpoint, tmp_path / 'epoch_1.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    assert train(tmp_path, 2, resume=True).epoch == 2
    assert not marker.exists()


_USERS_OWN_LOAD = """
import sys, numpy, torch
before = set(map(str, torch.serialization.get_safe_globals()))
import mmseam
import mmengine.runner
added = set(map(str, torch.serialization.get_safe_globals())) - before
assert all('torch.distributed' in name for name in added), added  # PyTorch's own, when it is imported
assert torch.load.__module__ == 'torch.serialization'
try:
    torch.load(sys.argv[1], weights_only=True)
    print('loaded without the list')
except Exception as error:
    assert 'numpy' in str(error), error
reconstruct = getattr(numpy, '_core', getattr(numpy, 'core', None)).multiarray._reconstruct
names = [reconstruct, numpy.ndarray, numpy.dtype, type(numpy.dtype('f4'))]
with torch.serialization.safe_globals(names):
    print(torch.load(sys.argv[1], weights_only=True)['array'].tolist())
"""


@pytest.mark.skipif(not hasattr(torch.serialization, 'safe_globals'), reason='this PyTorch has no list of safe names')
def test_loading_by_others_stays_as_it_is(tmp_path):
    """In fresh processes, since what a set of names gives first is another thing in each."""
    torch.save(dict(array=np.float32([1, 2])), tmp_path / 'own.pth')
    for seed in range(4):
        done = subprocess.run([sys.executable, '-c', _USERS_OWN_LOAD, str(tmp_path / 'own.pth')], capture_output=True,
                              text=True, env=dict(os.environ, PYTHONHASHSEED=str(seed)))
        assert done.returncode == 0, done.stderr
        assert done.stdout == '[1.0, 2.0]\n'


@pytest.mark.parametrize('first', ['mmseam', 'mmengine.runner'])
def test_order_of_imports_does_not_matter(tmp_path, first):
    torch.save(dict(state_dict=dict(a=torch.ones(1)), meta=Call(print)), tmp_path / 'evil.pth')
    code = (f'import sys, {first}, mmseam; from mmengine.runner import CheckpointLoader\n'
            'try:\n    CheckpointLoader.load_checkpoint(sys.argv[1], logger="silent")\n'
            'except ValueError as error:\n    print(type(error).__name__)')
    done = subprocess.run([sys.executable, '-c', code, str(tmp_path / 'evil.pth')], capture_output=True, text=True)
    assert done.stdout.strip() == 'CheckpointFileError', done.stderr


_ONEDL_LOADER = """
import torch


def _safe_torch_load(file, map_location=None, weights_only=None):
    return torch.serialization._load_whatever_it_is(file)


def load_from_local(filename, map_location):
    return _safe_torch_load(filename, map_location=map_location)
"""


def test_the_loader_of_onedl_is_replaced(tmp_path):
    """It allows `getattr`, and loads what is refused nevertheless, without the restriction."""
    loaders = ModuleType('mmengine.runner.checkpoint')
    exec(_ONEDL_LOADER, loaders.__dict__)
    protect_checkpoint_loaders(loaders)
    torch.save(dict(state_dict=dict(a=torch.ones(1))), tmp_path / 'good.pth')
    torch.save(dict(state_dict={}, meta=Call(print)), tmp_path / 'evil.pth')
    assert loaders.load_from_local(str(tmp_path / 'good.pth'), 'cpu')['state_dict']['a'].tolist() == [1]
    with pytest.raises(CheckpointFileError, match=r'evil\.pth'):
        loaders.load_from_local(str(tmp_path / 'evil.pth'), 'cpu')


def test_module_can_be_the_first_import():
    """MMEngine, which it imports, is prepared on import, which needs this module."""
    code = ('from mmseam.compat.safe_checkpoints import load_checkpoint_file as load; '
            'import mmengine.runner.checkpoint as loaders; assert loaders.torch.load is load')
    subprocess.run([sys.executable, '-c', code], check=True)
