"""Run a test that keeps its results if interrupted."""
import time
from contextlib import suppress
from typing import Any, Dict, List

from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmseam.utils.atomic_write import partial_path, write_errors
from mmseam.utils.interruption import StopRequest, stop_request
from mmseam.utils.loader_errors import LoaderError, loader_errors

# Output paths of the metrics of MMEngine, mmdet and mmseam
_PATHS = ('out_file_path', 'outfile_prefix', 'submission_dir')

# Maximum delay in seconds until a signal that has stopped the workers reaches this process
_LATE = 0.5


class _StopHook(Hook):
    """Stop after a complete batch, when all other hooks have run."""

    priority = 'LOWEST'

    def __init__(self, stop: StopRequest) -> None:
        self.stop = stop
        self.done = ''

    def after_test_iter(self, runner: Runner, batch_idx: int, *_: Any, **__: Any) -> None:
        """Stop if a signal was received."""
        self.done = f'{batch_idx + 1} of {len(runner.test_dataloader)} batches are done'
        self.stop.check(self.done)


def test(runner: Runner) -> Dict[str, float]:
    """Run ``runner.test()``; SIGINT and SIGTERM stop it after a complete batch.

    Args:
        runner (Runner): The runner.

    Returns:
        dict[str, float]: The metrics.

    Raises:
        Interrupted: A signal has stopped the test; see :func:`keep_partial_results`.
        LoaderError: A data loader worker was killed.
        OSError: An image cannot be read, or a result cannot be written.
    """
    with stop_request() as stop, write_errors(runner.work_dir, only_space=True):
        hook = _StopHook(stop)
        runner.register_hook(hook)
        try:
            with loader_errors():
                return runner.test()
        except LoaderError:
            for _ in range(2):
                with suppress(RuntimeError):  # PyTorch may report a second worker once
                    time.sleep(_LATE / 2)
            stop.check(hook.done)
            raise


def keep_partial_results(runner: Runner) -> List[str]:
    """Write the outputs of the metrics of an interrupted test under the names of partial results.

    Args:
        runner (Runner): The runner. Nothing is kept of a test in several processes, because none has a coherent
            part.

    Returns:
        list[str]: Files, prefixes and folders.
    """
    if runner.world_size > 1:
        return []
    return [path for metric in runner.test_evaluator.metrics for path in _write_partial(metric)]


def _write_partial(metric: BaseMetric) -> List[str]:
    """Write the results of a metric so far without evaluating them."""
    names = [name for name in _PATHS if getattr(metric, name, None)]
    if not metric.results:
        return []
    for name in names:
        setattr(metric, name, str(partial_path(getattr(metric, name))))
        metric.format_only = True
        metric.compute_metrics(metric.results)
    return [getattr(metric, name) for name in names]
