"""Training loop that can be stopped and resumed at any iteration."""
from contextlib import contextmanager
from functools import partial
from typing import Any, Dict, Iterator, List, Optional

import torch
from mmengine.dist import all_reduce, barrier, get_rank, is_distributed
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import BatchSampler, DataLoader

from mmseam.datasets.wrappers import innermost_datasets
from mmseam.engine.hooks.checkpoint_hook import CheckpointHook
from mmseam.registry import LOOPS
from mmseam.utils.interruption import Interrupted, StopRequest, stop_request

from .seeding import init_worker, kill_workers_at_exit, seed_generators

# Interval in iterations at which distributed processes synchronize stop requests
_ITERATIONS_PER_AGREEMENT = 10
_REPEAT_SECONDS = 2.0


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """Epoch-based training loop that can be stopped and resumed.

    - **Exact.** Random numbers depend on seed, epoch, process and worker only: generators are seeded at the start of
      each epoch. After an epoch with a checkpoint, workers are restarted and transforms drop their cached images,
      as happens when the training is resumed from that checkpoint. So a resumed training is bit-identical to an
      uninterrupted one if the computation is deterministic.
    - **Signals.** On SIGINT or SIGTERM the current step is finished and :class:`mmseam.CheckpointHook` saves
      ``interrupted.pth``. Training resumes after that step with the remaining images of the epoch; only the random
      numbers of their augmentation differ. Distributed training runs up to nine more steps until all processes agree.
    - **Validation.** A validation during which the training was killed is repeated after resuming.

    The arguments are those of :class:`mmengine.runner.EpochBasedTrainLoop`.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        kill_workers_at_exit()
        self._configured_init = self.dataloader.worker_init_fn
        self._is_saved = True  # Whether the end of the last epoch is saved

    def run(self) -> torch.nn.Module:
        """Train until the last epoch or a signal.

        Returns:
            nn.Module: The trained model.

        Raises:
            Interrupted: A signal has stopped the training.
        """
        self._restore_sampler()
        if self.runner.val_loop is not None:
            loader = self.runner.val_dataloader
            loader.worker_init_fn = partial(init_worker, parent=loader.worker_init_fn)
        self.runner.call_hook('before_train')
        with stop_request() as self._request:
            self._request.repeat_seconds = _REPEAT_SECONDS if is_distributed() else 0.0
            self.runner.register_hook(_ValidationHook(self._request))
            if self._epoch > 0 and self.runner.message_hub.get_info('epoch_validated', 0) != self._epoch:
                self._validate_if_due()
            while self._epoch < self._max_epochs and not self.stop_training:
                self.run_epoch()
                self._validate_if_due()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train an epoch, or the rest of an interrupted one.

        Raises:
            Interrupted: A signal has stopped the training.
        """
        first = self._take_first_batch()
        self._seed_epoch(first)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        with _skipped_batches(self.dataloader, first):
            for idx, data_batch in enumerate(self.dataloader, first):
                self.run_iter(idx, data_batch)
                if idx + 1 < len(self.dataloader) and self._is_stop_agreed(self._iter):
                    self._stop(idx + 1)
        last_checkpoint = self.runner.message_hub.get_info('last_ckpt')
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self._is_saved = self.runner.message_hub.get_info('last_ckpt') != last_checkpoint
        if self._is_saved:
            _forget(self.dataloader)

    def _validate_if_due(self) -> None:
        if self._is_stop_agreed():
            self._stop()
        self._decide_current_val_interval()
        is_due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        if self.runner.val_loop is None or self._epoch < self.val_begin or not is_due:
            return
        try:
            self.runner.val_loop.run()
        except _ValidationStopped:
            self._take_back_weights()
        if self._is_stop_agreed():
            self._stop()

    def _stop(self, num_batches: int = 0) -> None:
        """Save the training if needed, and end it."""
        runner = self.runner
        hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
        if num_batches:
            runner.message_hub.update_info('batches_of_epoch', [num_batches, len(self.dataloader)])
        if hooks and (num_batches or not self._is_saved):
            hooks[0].save_interrupted(runner)
        barrier()  # A process that ends makes the launcher end the others
        last = runner.message_hub.get_info('last_ckpt')
        raise Interrupted(
            self._request.number, f'epoch {self._epoch + bool(num_batches)} of {self._max_epochs}, iteration '
            f'{self._iter}; ' + (f'--resume continues from {last}' if last else 'nothing was saved'))

    def _is_stop_agreed(self, iteration: int = 0) -> bool:
        """Return whether to stop; distributed processes synchronize every ten iterations."""
        if not is_distributed():
            return self._request.number is not None
        if iteration % _ITERATIONS_PER_AGREEMENT:
            return False
        number = torch.tensor(self._request.number or 0)
        all_reduce(number, 'max')
        self._request.number = int(number) or None
        return self._request.number is not None

    def _take_back_weights(self) -> None:
        """Swap the weights back with EMA, which swaps them for the validation."""
        for hook in self.runner.hooks:
            if isinstance(hook, EMAHook):
                hook.after_val_epoch(self.runner)

    def _restore_sampler(self) -> None:
        """Restore the sampler's seed; the sampler was built before the checkpoint was loaded."""
        sampler, hub = self.dataloader.sampler, self.runner.message_hub
        if not hasattr(sampler, 'seed'):
            return
        if self._iter > 0:
            sampler.seed = hub.get_info('sampler_seed', sampler.seed)
        hub.update_info('sampler_seed', int(sampler.seed))

    def _take_first_batch(self) -> int:
        """Return the number of batches of this epoch that an interrupted training has processed."""
        num_seen, num_batches = self.runner.message_hub.get_info('batches_of_epoch', [0, 0])
        self.runner.message_hub.update_info('batches_of_epoch', [0, 0])
        if not num_seen:
            return 0
        if num_batches == len(self.dataloader) and type(self.dataloader.batch_sampler) is BatchSampler:
            return num_seen
        self.runner.logger.warning('the interrupted epoch is repeated from its start, because its batches have changed')
        return 0

    def _seed_epoch(self, first_batch: int) -> None:
        seed = getattr(self.dataloader.sampler, 'seed', self.runner.seed)
        key = (seed, self._epoch, first_batch, get_rank())
        seed_generators(*key, 0)
        self.dataloader.worker_init_fn = partial(init_worker, parent=self._configured_init, key=key)


class _ValidationStopped(Exception):  # noqa: N818
    pass


class _ValidationHook(Hook):
    """Records validated epochs, and stops a validation after the current iteration on a signal."""

    def __init__(self, request: StopRequest) -> None:
        self._request = request

    def after_val_iter(self, *args: Any, **kwargs: Any) -> None:
        if self._request.number is not None:
            raise _ValidationStopped

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        # Before the checkpoint hook, whose best checkpoint comes with a new last one. A name that starts with `val`
        # would appear in the log
        runner.message_hub.update_info('epoch_validated', runner.epoch)


class _Rest:
    """Sampler without the first samples."""

    def __init__(self, sampler: Any, first: int) -> None:
        self._sampler = sampler
        self._first = first

    def __iter__(self) -> Iterator[int]:
        rest: List[int] = list(self._sampler)[self._first:]
        return iter(rest)

    def __len__(self) -> int:
        return len(self._sampler)


@contextmanager
def _skipped_batches(dataloader: DataLoader, number: int) -> Iterator[None]:
    """Make a data loader skip the first batches without loading them."""
    if not number:
        yield
        return
    batch_sampler = dataloader.batch_sampler
    sampler = batch_sampler.sampler
    batch_sampler.sampler = _Rest(sampler, number * batch_sampler.batch_size)
    try:
        yield
    finally:
        batch_sampler.sampler = sampler


def _forget(dataloader: DataLoader) -> None:
    """Drop the state of workers and transforms."""
    dataloader._iterator = None  # the workers end
    for dataset in innermost_datasets(dataloader.dataset):
        _clear_caches(getattr(dataset, 'pipeline', None))


def _clear_caches(pipeline: Any) -> None:
    """Empty the caches of MMYOLO's and MMDetection's mixing transforms; without workers, the process holds them."""
    for transform in getattr(pipeline, 'transforms', ()):
        if hasattr(transform, 'results_cache'):
            transform.results_cache.clear()
        _clear_caches(getattr(transform, 'pre_transform', None))
