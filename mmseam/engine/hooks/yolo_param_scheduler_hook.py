"""YOLO's schedule of learning rate and momentum."""
from mmengine.runner import Runner
from mmyolo.engine.hooks import YOLOv5ParamSchedulerHook

from mmseam.registry import HOOKS


@HOOKS.register_module()
class YOLOParamSchedulerHook(YOLOv5ParamSchedulerHook):
    """mmyolo's schedule over as many epochs as the training has.

    The arguments are those of :class:`mmyolo.engine.hooks.YOLOv5ParamSchedulerHook` except ``max_epochs``, which is
    the runner's, so that it need not be written twice.

    Args:
        scheduler_type (str): 'linear' or 'cosine'. Defaults to 'linear'.
        lr_factor (float): Last learning rate relative to the first. Defaults to 0.01.
        **kwargs: Warm-up settings of the parent.
    """

    def __init__(self, scheduler_type: str = 'linear', lr_factor: float = 0.01, **kwargs) -> None:
        super().__init__(scheduler_type, lr_factor, **kwargs)
        self.scheduler_type = scheduler_type
        self.lr_factor = lr_factor

    def before_train(self, runner: Runner) -> None:
        """Span the schedule over the training.

        Args:
            runner (Runner): The running training.
        """
        super().before_train(runner)
        self.scheduler_fn = self.scheduler_maps[self.scheduler_type](self.lr_factor, runner.max_epochs)
