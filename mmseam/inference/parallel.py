"""Calls in several threads, results in order."""
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Deque, Generator, Iterable

import torch

_READY = 2  # results that may wait for their turn, so that no worker does


class _ThreadCount:
    """PyTorch's number of threads before the first of several overlapping iterations; each restores it at its end.

    Workers change it: MKL's number, and the one that new threads start with, belong to the whole process. So what the
    calling thread finds may already be another iteration's share.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._iterations = 0
        self._original = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._iterations == 0:
                self._original = torch.get_num_threads()
            self._iterations += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._iterations -= 1
            torch.set_num_threads(self._original)


_THREAD_COUNT = _ThreadCount()


def map_in_order(function: Callable[[Any], Any], items: Iterable, workers: int,
                 cores: int) -> Generator[Any, None, None]:
    """Call a function for each item in turn, ``workers`` at the same time, each with its share of PyTorch's threads.

    Items are taken, and results given, in their order by the calling thread; at most ``workers + 2`` items ahead.
    Several iterations may overlap; PyTorch's number of threads is restored at the end of each.

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
    share = max(cores // workers, 1)
    pending: Deque[Future] = deque()
    with _THREAD_COUNT:
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


def _stop(pool: ThreadPoolExecutor, pending: Deque[Future]) -> None:
    for future in pending:
        future.cancel()
    pool.shutdown()
