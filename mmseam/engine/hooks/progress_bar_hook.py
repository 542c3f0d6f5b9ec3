"""Show a progress bar."""
import sys
from typing import Optional

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tqdm import tqdm

from mmseam.registry import HOOKS


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Show epoch, loss and remaining time of an epoch-based training in one line of the terminal."""

    def __init__(self) -> None:
        self.bar = None

    def before_train(self, runner: Runner) -> None:
        """Open the progress bar."""
        if not is_main_process():
            return
        self.bar = tqdm(
            total=runner.max_iters,
            initial=runner.iter,
            unit='it',
            desc=f'epoch {runner.epoch + 1}/{runner.max_epochs}',
            mininterval=0.5 if sys.stderr.isatty() else 15,  # fewer lines in log files
            dynamic_ncols=True)

    def before_train_epoch(self, runner: Runner) -> None:
        """Show the epoch."""
        if self.bar is not None:
            self.bar.set_description(f'epoch {runner.epoch + 1}/{runner.max_epochs}', refresh=False)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Optional[dict] = None) -> None:
        """Advance by one iteration and show its loss."""
        if self.bar is not None:
            self.bar.set_postfix(loss=f'{outputs["loss"].item():.2f}', refresh=False)
            self.bar.update()

    def after_train(self, runner: Runner) -> None:
        """Close the progress bar."""
        if self.bar is not None:
            self.bar.close()
