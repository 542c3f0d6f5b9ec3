"""Random numbers that depend on nothing but seed, epoch and process."""
import random
import signal
from typing import Callable, Optional, Tuple

import numpy as np
import torch


def seed_generators(*key: int) -> None:
    """Seed the generators of Python, NumPy and PyTorch (all devices).

    Args:
        *key (int): Non-negative numbers; each tuple of them makes a stream of its own.
    """
    seeds = np.random.SeedSequence(key).generate_state(3)
    random.seed(int(seeds[0]))
    np.random.seed(seeds[1])  # noqa: NPY002  (the generator that MMYOLO's transforms use)
    torch.manual_seed(int(seeds[2]))


def init_worker(worker_id: int, parent: Optional[Callable[[int], None]] = None, key: Tuple[int, ...] = ()) -> None:
    """Prepare a worker of a data loader.

    Signals are left to the main process: a terminal and Slurm send them to all processes, and a worker that dies of
    one would take the main process along before it can save.

    Args:
        worker_id (int): Number of the worker.
        parent (Callable, optional): Function that prepares it otherwise. Defaults to None.
        key (Tuple[int]): With the number of the worker it makes the seed; without it, ``parent`` or PyTorch seeds.
            Defaults to ().
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if parent is not None:
        parent(worker_id)
    if key:
        seed_generators(*key, worker_id + 1)
