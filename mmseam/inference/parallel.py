"""Map a function over items in several threads, keeping the order."""
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Deque, Generator, Iterable

import torch

_READY = 2  # finished results that may be queued, so that no worker has to wait


class _ThreadCount:
    """Context that restores PyTorch's number of threads after overlapping iterations.

    Workers change the number for the complete process, because MKL's number and the default of new threads are global.
    So only the first of several overlapping iterations sees the original number.
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
    """Map a function over items in ``workers`` threads, which share PyTorch's threads evenly.

    The calling thread reads the items and yields the results in order, at most ``workers + 2`` items ahead. Several
    iterations may overlap; PyTorch's number of threads is restored at the end of each.

    Args:
        function (Callable): A thread-safe function.
        items (Iterable): Its arguments.
        workers (int): Number of threads; 1 runs in the calling thread without reading ahead.
        cores (int): Number of processor cores that the threads share.

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
