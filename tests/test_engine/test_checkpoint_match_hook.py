"""What happens when a checkpoint is not one of the model."""
import logging
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseTTAModel

from mmseam.engine import CheckpointMatchHook
from mmseam.utils.checkpoint_match import CheckpointMismatchError, match_checkpoint


class Augmented(BaseTTAModel):
    """Test-time augmentation around a model, without a registry."""

    def __init__(self, module):
        torch.nn.Module.__init__(self)
        self.module = module

    def merge_preds(self, data_samples_list):
        return data_samples_list


def runner_of(model, log):
    return SimpleNamespace(model=model, logger=SimpleNamespace(log=lambda level, text, **_: log.append((level, text))))


@pytest.mark.parametrize('wrap', [lambda model: model, Augmented])
def test_the_models_own_checkpoint_passes_also_inside_augmentation(wrap):
    model, log = torch.nn.Linear(2, 3), []
    CheckpointMatchHook(strict=True).after_load_checkpoint(
        runner_of(wrap(model), log), dict(state_dict=model.state_dict()))
    hook, runner = CheckpointMatchHook(), runner_of(wrap(model), log)
    hook.after_load_checkpoint(runner, dict(state_dict=model.state_dict()))
    assert not log
    for _ in range(2):
        hook.before_train_epoch(runner)
    assert [level for level, _ in log] == [logging.INFO]


def bare(state_dict):
    return state_dict


def nested(state_dict):
    return dict(state_dict={f'module.{name}': value for name, value in state_dict.items()}, meta={})


@pytest.mark.parametrize('pack', [bare, nested])
@pytest.mark.parametrize('wrap', [lambda model: model, Augmented])
def test_another_architecture_is_refused_or_warned_of(pack, wrap):
    model, other, log = torch.nn.Linear(2, 3), torch.nn.Linear(4, 3), []
    with pytest.raises(CheckpointMismatchError, match='weight'):
        CheckpointMatchHook(strict=True).after_load_checkpoint(runner_of(wrap(model), log), pack(other.state_dict()))
    with pytest.raises(CheckpointMismatchError, match='1 of 2 tensors'):
        CheckpointMatchHook(min_share=.6).after_load_checkpoint(runner_of(wrap(model), log), pack(other.state_dict()))
    hook, runner, checkpoint = CheckpointMatchHook(), runner_of(wrap(model), log), pack(other.state_dict())
    own = model.weight.clone()
    hook.after_load_checkpoint(runner, checkpoint)
    hook.before_train_epoch(runner)
    assert [level for level, _ in log] == [logging.WARNING]
    # What fits is loaded, and MMEngine finds nothing to list.
    torch.testing.assert_close(model.bias, other.bias)
    torch.testing.assert_close(model.weight, own)
    assert match_checkpoint(model, checkpoint).is_complete
