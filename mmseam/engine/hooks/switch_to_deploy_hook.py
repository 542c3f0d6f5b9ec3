"""Test a model in its fused form."""
import copy

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmyolo.engine.hooks import SwitchToDeployHook as _SwitchToDeployHook

from mmseam.models.fused import switch_to_deploy
from mmseam.registry import HOOKS


@HOOKS.register_module()
class SwitchToDeployHook(_SwitchToDeployHook):
    """Test a copy of the model in its fused form; MMYOLO's hook fuses RepVGG blocks only.

    A copy is needed because ``EMAHook`` swaps the weights with their average before a test and back after it. The
    runner keeps the copy.
    """

    # After EMA, whose weights are tested.
    priority = 'LOW'

    def before_test_epoch(self, runner: Runner) -> None:
        """Replace the model with the fused copy."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        runner.model = switch_to_deploy(copy.deepcopy(model))
