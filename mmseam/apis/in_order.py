"""Calls in several threads, results in order."""
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Deque, Iterable, Iterator

import torch

_READY = 2  # results that may wait for their turn, so that no worker does


def map_in_order(function: Callable[[Any], Any], items: Iterable, workers: int, cores: int) -> Iterator:
    """Call a function for each item in turn, ``workers`` at the same time, each with its share of PyTorch's threads.

    Items are taken, and results given, in their order by the calling thread; at most ``workers + 2`` items ahead.
    Until the end, PyTorch has that share of threads in the calling thread too.

    Args:
        function (Callable): Must allow to be called by several threads at once.
        items (Iterable): Its arguments.
        workers (int): Threads; with one there is none, and nothing is taken ahead.
        cores (int): Processor cores that they share.

    Returns:
        Iterator: The results.
    """
    if workers == 1:
        yield from map(function, items)
        return
    num_threads, share, pending = torch.get_num_threads(), max(cores // workers, 1), deque()
    torch.set_num_threads(share)
    pool = ThreadPoolExecutor(workers, 'mmseam', torch.set_num_threads, (share, ))
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) == workers + _READY:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        _stop(pool, pending)
        torch.set_num_threads(num_threads)  # MKL's number is one for all threads


def _stop(pool: ThreadPoolExecutor, pending: Deque[Future]) -> None:
    for future in pending:
        future.cancel()
    pool.shutdown()
