"""Show progress bars, and a line per epoch and validation."""
import sys
import time
from typing import Any, Dict, Optional

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tqdm import tqdm

from mmseam.registry import HOOKS

from .learning_curve_hook import main_metrics

_NUM_METRICS = 6  # they fit into two lines of a terminal

#: ``extra`` of log records that a quiet console shows, see :class:`mmseam.engine.runners.ConsoleHandler`.
ON_CONSOLE = dict(on_console=True)


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Show epoch, loss and remaining time in one line of the terminal, and log a line per epoch and validation.

    Example:
        epoch 3/100: loss 4.812, loss_cls 1.912, loss_bbox 1.431, loss_dfl 1.469, 41 s
        epoch 3/100: coco/bbox_mAP 0.412, coco/bbox_mAP_50 0.633
    """

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.bar = None
        self.inner_bar = None
        self._start = 0.0

    def before_train(self, runner: Runner) -> None:
        """Open the progress bar."""
        if is_main_process():
            self.bar = _bar(runner.max_iters, f'epoch {runner.epoch + 1}/{runner.max_epochs}', initial=runner.iter)

    def before_train_epoch(self, runner: Runner) -> None:
        """Show the epoch."""
        self._start = time.time()
        if self.bar is not None:
            self.bar.set_description(f'epoch {runner.epoch + 1}/{runner.max_epochs}', refresh=False)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Optional[dict] = None) -> None:
        """Advance by one iteration and show its loss."""
        if self.bar is not None:
            self.bar.set_postfix(loss=f'{outputs["loss"].item():.2f}', refresh=False)
            self.bar.update()

    def after_train_epoch(self, runner: Runner) -> None:
        """Log the mean losses of the epoch."""
        number = len(runner.train_dataloader)
        losses = {name.split('/', 1)[1]: scalar.mean(number) for name, scalar in runner.message_hub.log_scalars.items()
                  if name.startswith('train/loss')}
        runner.logger.info(f'epoch {runner.epoch + 1}/{runner.max_epochs}: {_listed(losses)}, '
                           f'{time.time() - self._start:.0f} s', extra=ON_CONSOLE)

    def after_train(self, runner: Runner) -> None:
        """Close the progress bar."""
        self.close()

    def close(self) -> None:
        """Close all bars."""
        self._close()
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def before_val_epoch(self, runner: Runner) -> None:
        """Open a bar for the validation."""
        self._open(len(runner.val_dataloader), 'validation')

    def after_val_iter(self, *_: Any, **__: Any) -> None:
        """Advance by one batch."""
        self._advance()

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        """Log the metrics."""
        self._close()
        # The loop has counted the epoch already
        shown = {name: metrics[name] for name in main_metrics(list(metrics or ()))[:_NUM_METRICS]}
        runner.logger.info(f'epoch {runner.epoch}/{runner.max_epochs}: {_listed(shown)}', extra=ON_CONSOLE)

    def before_test_epoch(self, runner: Runner) -> None:
        """Open a bar for the test."""
        self._open(len(runner.test_dataloader), 'test')

    def after_test_iter(self, *_: Any, **__: Any) -> None:
        """Advance by one batch."""
        self._advance()

    def after_test_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        """Log the metrics, one per line."""
        self._close()
        for name, value in (metrics or {}).items():
            runner.logger.info(f'{name}: {_number(value)}', extra=ON_CONSOLE)

    def _open(self, number: int, description: str) -> None:
        if is_main_process():
            self.inner_bar = _bar(number, description, leave=False)

    def _advance(self) -> None:
        if self.inner_bar is not None:
            self.inner_bar.update()

    def _close(self) -> None:
        if self.inner_bar is not None:
            self.inner_bar.close()
            self.inner_bar = None


def _bar(number: int, description: str, **options: Any) -> tqdm:
    # Fewer lines in log files
    return tqdm(total=number, unit='it', desc=description, mininterval=0.5 if sys.stderr.isatty() else 15,
                dynamic_ncols=True, **options)


def _listed(values: Dict[str, float]) -> str:
    return ', '.join(f'{name} {_number(value)}' for name, value in values.items())


def _number(value: Any) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)
