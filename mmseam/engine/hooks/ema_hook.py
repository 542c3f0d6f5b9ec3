"""Update EMA per optimizer step."""
from typing import Any

from mmengine.hooks import EMAHook as _EMAHook
from mmengine.runner import Runner

from mmseam.registry import HOOKS


@HOOKS.register_module()
class EMAHook(_EMAHook):
    """EMA hook that updates after each optimizer step instead of each iteration.

    The two differ if gradients are accumulated: EMA must not count the same weights several times. The
    arguments are those of :class:`mmengine.hooks.EMAHook`.
    """

    def before_train(self, runner: Runner) -> None:
        """Register a hook that records optimizer steps.

        Args:
            runner (Runner): The running training.
        """
        super().before_train(runner)
        self._stepped = False
        runner.optim_wrapper.optimizer.register_step_post_hook(self._note_step)

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Update the average if the optimizer stepped.

        Args:
            runner (Runner): The running training.
            *args: The arguments of the parent.
            **kwargs: The keyword arguments of the parent.
        """
        if self._stepped:
            super().after_train_iter(runner, *args, **kwargs)
        self._stepped = False

    def _note_step(self, *args: Any) -> None:
        self._stepped = True
