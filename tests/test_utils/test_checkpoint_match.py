"""Checkpoints of other architectures."""
import pickle
import sys
import types

import pytest
import torch
from torch import nn

from mmseam.utils.checkpoint_match import (
    CheckpointMismatchError,
    check_checkpoint_file,
    load_fitting_tensors,
    match_checkpoint,
    require_match,
)


def net(width: int = 4) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 1), nn.BatchNorm2d(width))


def test_its_own_checkpoint_fits():
    match = match_checkpoint(net(), dict(state_dict=net().state_dict()))
    assert match.is_complete
    assert str(match) == '6 of 6 tensors of the model match'


def test_bare_and_distributed_state_dicts_fit():
    state = net().state_dict()
    require_match(net(), state)
    require_match(net(), dict(state_dict={f'module.{name}': value for name, value in state.items()}))


def test_counters_of_batches_do_not_matter():
    state = {name: value for name, value in net().state_dict().items() if 'num_batches' not in name}
    require_match(net(), state)


def test_each_kind_of_difference():
    state = net().state_dict()
    state['0.weight'] = torch.zeros(8, 3, 1, 1)
    state['2.weight'] = state.pop('1.weight')
    match = match_checkpoint(net(), state)
    assert match.fitting == 4
    assert match.missing == ('1.weight', )
    assert match.unexpected == ('2.weight', )
    assert match.reshaped == ('0.weight (8, 3, 1, 1) instead of (4, 3, 1, 1)', )


@pytest.mark.parametrize('change', [
    lambda state: state.pop('1.bias'),
    lambda state: state.update(extra=torch.zeros(1)),
    lambda state: state.update({'1.bias': torch.zeros(9)}),
])
def test_each_kind_is_refused(change):
    state = net().state_dict()
    change(state)
    with pytest.raises(CheckpointMismatchError, match='does not match the config'):
        require_match(net(), state)


@pytest.mark.parametrize('meta, message', [
    (dict(experiment_name='yolo11_n_seam_20260102_030405'), 'trained with the config yolo11_n_seam: use'),
    (dict(source=dict(file='yolo11n-pose.pt', size='n')), r'converted from yolo11n-pose.pt \(YOLO11, size n\)'),
    (dict(), 'does not say which config'),
])
def test_the_fitting_config_is_named(meta, message):
    with pytest.raises(CheckpointMismatchError, match=message):
        require_match(net(), dict(meta=meta, state_dict=net(8).state_dict()))


@pytest.mark.parametrize('state, share', [
    (net().state_dict(), 1), (net(8).state_dict(), 0), (dict(list(net().state_dict().items())[:3]), .5), ({}, 0)])
def test_share_of_the_model(state, share):
    assert match_checkpoint(net(), state).share == share
    assert match_checkpoint(nn.ReLU(), state).share == 1


def test_weights_of_older_modules_are_converted():
    class Renamed(nn.Linear):

        def _load_from_state_dict(self, state_dict, prefix, metadata, *args):
            if metadata.get('version') is None:
                state_dict[f'{prefix}bias'] = state_dict.pop(f'{prefix}shift')
            super()._load_from_state_dict(state_dict, prefix, metadata, *args)

    model, checkpoint = Renamed(2, 3), dict(state_dict=dict(weight=torch.ones(3, 2), shift=torch.ones(3)))
    load_fitting_tensors(model, checkpoint)
    assert (model.bias == 1).all() and (model.weight == 1).all()
    assert list(checkpoint['state_dict']) == ['weight', 'bias']


def test_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='there is no checkpoint .*a.pth'):
        check_checkpoint_file(tmp_path / 'a.pth')
    meta = dict(license='see https://ultralytics.com/license', file='ultralytics.pt')  # as of a converted checkpoint
    torch.save(dict(meta=meta, state_dict=net().state_dict()), tmp_path / 'a.pth')
    check_checkpoint_file(tmp_path / 'a.pth')
    check_checkpoint_file('https://example.org/a.pth')


def test_checkpoints_of_ultralytics_are_told_apart_without_loading(tmp_path, monkeypatch):
    foreign = type('DetectionModel', (), dict(__module__='ultralytics.nn.tasks'))
    module = types.ModuleType('ultralytics.nn.tasks')
    module.DetectionModel = foreign
    for name in ('ultralytics', 'ultralytics.nn'):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, 'ultralytics.nn.tasks', module)
    torch.save(dict(model=foreign()), tmp_path / 'best.pt')
    monkeypatch.setattr(pickle, 'Unpickler', None)
    with pytest.raises(CheckpointMismatchError, match='ultralytics_to_mmseam.py'):
        check_checkpoint_file(tmp_path / 'best.pt')
