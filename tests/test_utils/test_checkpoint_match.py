"""Checkpoints of other architectures."""
import logging
import pickle
import sys
import types

import pytest
import torch
from torch import nn

from mmseam.engine.hooks import CheckpointMatchHook
from mmseam.utils.checkpoint_match import (
    CheckpointMismatchError,
    check_checkpoint_file,
    match_checkpoint,
    require_match,
)


def net(width: int = 4) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 1), nn.BatchNorm2d(width))


def test_its_own_checkpoint_fits():
    match = match_checkpoint(net(), dict(state_dict=net().state_dict()))
    assert match.is_complete
    assert str(match) == '6 of 6 tensors of the model fit'


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
    with pytest.raises(CheckpointMismatchError, match='does not fit the config'):
        require_match(net(), state)


@pytest.mark.parametrize('meta, message', [
    (dict(experiment_name='yolo11_n_seam_20260102_030405'), 'a training with the config yolo11_n_seam: use'),
    (dict(source=dict(file='yolo11n-pose.pt', size='n')), r'converted from yolo11n-pose.pt \(YOLO11, size n\)'),
    (dict(), 'does not say which config'),
])
def test_the_fitting_config_is_named(meta, message):
    with pytest.raises(CheckpointMismatchError, match=message):
        require_match(net(), dict(meta=meta, state_dict=net(8).state_dict()))


@pytest.mark.parametrize('width, level, text', [
    (4, logging.INFO, 'checkpoint: 6 of 6 tensors of the model fit'),
    (8, logging.WARNING, 'checkpoint: 0 of 6 tensors of the model fit\n- 6 of other shape: 0.weight (8, 3, 1, 1) '),
])
def test_training_goes_on_with_a_word_in_the_log(width, level, text):
    messages = []
    logger = types.SimpleNamespace(log=lambda *message: messages.append(message))
    runner = types.SimpleNamespace(model=net(), logger=logger)
    checkpoint = dict(state_dict=net(width).state_dict())
    CheckpointMatchHook().after_load_checkpoint(runner, checkpoint)
    assert messages[0][0] == level
    assert messages[0][1].startswith(text)
    if width != 4:
        with pytest.raises(CheckpointMismatchError):
            CheckpointMatchHook(strict=True).after_load_checkpoint(runner, checkpoint)


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
