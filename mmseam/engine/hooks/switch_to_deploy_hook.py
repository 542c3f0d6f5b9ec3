"""Testing in the form for inference."""
import copy

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmyolo.engine.hooks import SwitchToDeployHook as _SwitchToDeployHook

from mmseam.models.fused import switch_to_deploy
from mmseam.registry import HOOKS


@HOOKS.register_module()
class SwitchToDeployHook(_SwitchToDeployHook):
    """Test a copy of the model in its form for inference, all of it and not only RepVGG blocks as the host's.

    A copy, since ``EMAHook`` swaps the weights of the trained form with their average before a test and back after it.
    The runner keeps the copy.
    """

    # Behind the moving average, whose weights are to be tested.
    priority = 'LOW'

    def before_test_epoch(self, runner: Runner) -> None:
        """Put the copy into the model's place."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        runner.model = switch_to_deploy(copy.deepcopy(model))
