"""A test that loses nothing when it is interrupted."""
import time
from typing import Any, Dict, List

from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmseam.utils.atomic_write import partial_path, write_errors
from mmseam.utils.interruption import StopRequest, stop_request
from mmseam.utils.loader_errors import LoaderError, loader_errors

# Where metrics of MMEngine, mmdet and this package are told what to write
_PATHS = ('out_file_path', 'outfile_prefix', 'submission_dir')

# Seconds by which a signal to all processes may reach this one after it has ended those that load images
_LATE = 0.5


class _StopHook(Hook):
    """Stop after a whole batch, when everything else has been done with it."""

    priority = 'LOWEST'

    def __init__(self, stop: StopRequest) -> None:
        self.stop = stop
        self.done = ''

    def after_test_iter(self, runner: Runner, batch_idx: int, *_: Any, **__: Any) -> None:
        """Stop if a signal has asked for it."""
        self.done = f'{batch_idx + 1} of {len(runner.test_dataloader)} batches are done'
        self.stop.check(self.done)


def test(runner: Runner) -> Dict[str, float]:
    """Test as ``runner.test()`` does; SIGINT and SIGTERM stop after a whole batch.

    Args:
        runner (Runner): The runner.

    Returns:
        dict[str, float]: The metrics.

    Raises:
        Interrupted: A signal has stopped the test; see :func:`keep_partial_results`.
        LoaderError: A process that loads images was killed.
        OSError: An image cannot be read, or a result cannot be written.
    """
    with stop_request() as stop, write_errors(runner.work_dir, only_space=True):
        hook = _StopHook(stop)
        runner.register_hook(hook)
        try:
            with loader_errors():
                return runner.test()
        except LoaderError:
            time.sleep(_LATE)
            stop.check(hook.done)
            raise


def keep_partial_results(runner: Runner) -> List[str]:
    """Write what the metrics of an interrupted test were to write, under the names of partial results.

    Args:
        runner (Runner): The runner, of a test in one process; with several nothing is kept, as none has a coherent
            part.

    Returns:
        list[str]: Files, prefixes and folders.
    """
    if runner.world_size > 1:
        return []
    return [path for metric in runner.test_evaluator.metrics for path in _write_partial(metric)]


def _write_partial(metric: BaseMetric) -> List[str]:
    """Let a metric write its results so far, without evaluating them."""
    names = [name for name in _PATHS if getattr(metric, name, None)]
    if not metric.results:
        return []
    for name in names:
        setattr(metric, name, str(partial_path(getattr(metric, name))))
        metric.format_only = True
        metric.compute_metrics(metric.results)
    return [getattr(metric, name) for name in names]
