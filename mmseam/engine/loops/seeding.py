"""Initialize data loader workers: random numbers by seed, epoch and process, and signals."""
import atexit
import multiprocessing
import random
import signal
from typing import Callable, Optional, Tuple

import numpy as np
import torch


def seed_generators(*key: int) -> None:
    """Seed the generators of Python, NumPy and PyTorch (all devices).

    Args:
        *key (int): Non-negative numbers; each tuple gives a separate stream.
    """
    seeds = np.random.SeedSequence(key).generate_state(3)
    random.seed(int(seeds[0]))
    np.random.seed(seeds[1])  # noqa: NPY002  (the generator that MMYOLO's transforms use)
    torch.manual_seed(int(seeds[2]))


def init_worker(worker_id: int, parent: Optional[Callable[[int], None]] = None, key: Tuple[int, ...] = ()) -> None:
    """Initialize a data loader worker.

    Workers ignore signals: terminals and Slurm send them to all processes, and a killed worker would end the main
    process before it can save.

    Args:
        worker_id (int): Number of the worker.
        parent (Callable, optional): Another initialization function to call. Defaults to None.
        key (Tuple[int]): Combined with the worker number as the seed; if empty, ``parent`` or PyTorch seeds.
            Defaults to ().
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if parent is not None:
        parent(worker_id)
    if key:
        seed_generators(*key, worker_id + 1)


def kill_workers_at_exit() -> None:
    """Register the end of this process's data loader workers at its exit.

    Python sends SIGTERM to them and waits. Workers of :func:`init_worker` ignore it, so it would wait forever.
    """
    atexit.register(_kill_workers)


def _kill_workers() -> None:
    if hasattr(signal, 'SIGCHLD'):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # PyTorch's handler would report the workers as crashed
    for worker in multiprocessing.active_children():
        if worker.daemon:
            worker.kill()
