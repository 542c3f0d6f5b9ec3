"""Calls in several threads: order, number at once, errors, and PyTorch's threads afterwards."""
import threading
import time

import pytest
import torch

from mmseam.inference.parallel import map_in_order


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def slow_first(item):
    time.sleep(.1 if item == 0 else 0)
    return item, threading.current_thread()


@pytest.mark.parametrize('workers', [1, 2, 3])
def test_results_come_in_order(workers):
    items, threads = zip(*map_in_order(slow_first, range(12), workers, 2))
    assert items == tuple(range(12))
    assert (set(threads) == {threading.current_thread()}) == (workers == 1)
    assert len(set(threads)) <= workers


def test_so_many_run_at_the_same_time():
    together = threading.Barrier(3, timeout=10)  # breaks unless three calls wait at once
    assert len(list(map_in_order(lambda item: together.wait(), range(9), 3, 3))) == 9


def test_each_worker_has_its_share_of_the_cores():
    numbers = list(map_in_order(lambda item: torch.get_num_threads(), range(4), 2, 6))
    assert numbers == [3] * 4
    assert torch.get_num_threads() == 2


def test_overlapping_iterations_restore_the_threads():
    def start():
        results = map_in_order(slow_first, range(8), 2, 2)
        next(results)
        return results

    first, second = start(), start()
    list(first)
    list(second)
    assert torch.get_num_threads() == 2
    first, found = start(), []
    elsewhere = threading.Thread(target=lambda: found.extend((list(start()), torch.get_num_threads())))
    elsewhere.start()  # while the workers of `first` have set the number for new threads
    elsewhere.join()
    assert found[1] == 2
    first.close()
    assert torch.get_num_threads() == 2


def test_items_are_taken_when_they_are_needed():
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = map_in_order(lambda item: item, items(), 2, 2)
    assert next(results) == 0
    assert len(taken) == 4
    results.close()
    assert len(taken) == 4 and torch.get_num_threads() == 2


def test_an_error_comes_in_its_turn_and_ends_all():
    def fail(item):
        if item == 2:
            raise ValueError('third')
        return item

    results = map_in_order(fail, range(50), 2, 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match='third'):
        next(results)
    assert torch.get_num_threads() == 2 and list(results) == []
