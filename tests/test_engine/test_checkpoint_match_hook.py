"""What happens when a checkpoint is not one of the model."""
import logging
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseTTAModel

from mmseam.engine import CheckpointMatchHook
from mmseam.utils.checkpoint_match import CheckpointMismatchError


class Augmented(BaseTTAModel):
    """Test-time augmentation around a model, without a registry."""

    def __init__(self, module):
        torch.nn.Module.__init__(self)
        self.module = module

    def merge_preds(self, data_samples_list):
        return data_samples_list


def runner_of(model, log):
    return SimpleNamespace(model=model, logger=SimpleNamespace(log=lambda level, text: log.append((level, text))))


@pytest.mark.parametrize('wrap', [lambda model: model, Augmented])
def test_the_models_own_checkpoint_passes_also_inside_augmentation(wrap):
    model, log = torch.nn.Linear(2, 3), []
    CheckpointMatchHook(strict=True).after_load_checkpoint(
        runner_of(wrap(model), log), dict(state_dict=model.state_dict()))
    CheckpointMatchHook().after_load_checkpoint(runner_of(wrap(model), log), dict(state_dict=model.state_dict()))
    assert [level for level, _ in log] == [logging.INFO]


def test_another_architecture_is_refused_or_warned_of():
    model, log = torch.nn.Linear(2, 3), []
    other = dict(state_dict=torch.nn.Linear(4, 3).state_dict())
    with pytest.raises(CheckpointMismatchError, match='weight'):
        CheckpointMatchHook(strict=True).after_load_checkpoint(runner_of(model, log), other)
    CheckpointMatchHook().after_load_checkpoint(runner_of(model, log), other)
    assert [level for level, _ in log] == [logging.WARNING]
