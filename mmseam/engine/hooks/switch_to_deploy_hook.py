"""Testing in the form for inference."""
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmyolo.engine.hooks import SwitchToDeployHook as _SwitchToDeployHook

from mmseam.registry import HOOKS
from mmseam.utils.deploy import switch_to_deploy


@HOOKS.register_module()
class SwitchToDeployHook(_SwitchToDeployHook):
    """Switch the model to its form for inference before a test, all of it and not only RepVGG blocks as the host's."""

    def before_test_epoch(self, runner: Runner) -> None:
        """Switch the model in place."""
        switch_to_deploy(runner.model.module if is_model_wrapper(runner.model) else runner.model)
