"""Lets checkpoints written by MMEngine load and resume with ``weights_only=True``.

Reason: since 2.6, ``torch.load`` refuses what is not on its list of safe names, and MMEngine 0.10 stores its log
history (``HistoryBuffer``: NumPy arrays and references to four methods) in every checkpoint.
Dies with: an MMEngine that stores plain numbers, or registers its own classes.

PyTorch's advice, to put the refused names on the list, would undo the safety: ``getattr`` reaches everything, and
``numpy.ndarray`` and ``numpy.dtype`` with free arguments make object arrays out of raw bytes, that is, forged pointers.
Here each name stands for a function of ours that does only what MMEngine's checkpoints need.
"""
import pickle
from typing import Any, Callable, List, Tuple

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer

__all__ = ['allow_mmengine_checkpoints']

_DTYPES = tuple(np.dtype(code) for code in '?bBhHiIlLqQefd')


def allow_mmengine_checkpoints() -> None:
    """Put the names in MMEngine's checkpoints on PyTorch's safe list; nothing below 2.6, where no list is asked."""
    if tuple(int(number) for number in torch.__version__.split('.')[:2]) >= (2, 6):
        torch.serialization.add_safe_globals(_safe_names())


def _safe_names() -> List[Tuple[Callable, str]]:
    """Pairs of what a name in a checkpoint stands for, and the name."""
    names = [
        (HistoryBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_one_cycle_scheduler, 'mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler'),
        (_get_method, 'builtins.getattr'),
        (_plain_dtype, 'numpy.dtype'),
        (_empty_array, 'numpy.ndarray'),
    ]
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):  # NumPy 1, NumPy 2
        names += [(_empty_array, f'{module}._reconstruct'), (_scalar, f'{module}.scalar')]
    # These classes must be listed for their state to be restored; without a dot, no checkpoint can spell the names.
    return names + [(kind, kind.__name__) for kind in {np.ndarray, *map(type, _DTYPES)}]


def _get_method(owner: Any, name: str) -> Callable:
    """What ``getattr`` may fetch: the statistics of a log history, the curves of the one-cycle schedule."""
    if owner is HistoryBuffer and name in ('min', 'max', 'current', 'mean'):
        return getattr(HistoryBuffer, name)
    if owner is _one_cycle_scheduler and name in ('_annealing_cos', '_annealing_linear'):
        from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
        return getattr(OneCycleParamScheduler, name)
    raise pickle.UnpicklingError(f'the checkpoint asks for the attribute {name!r} of {owner!r}, which no checkpoint '
                                 'written by MMEngine does: it is damaged or made to run code')


def _one_cycle_scheduler() -> None:
    """Stands for a class that takes a second to import, which checkpoints name only to fetch its curve."""
    raise pickle.UnpicklingError('the checkpoint calls OneCycleParamScheduler, which no checkpoint of MMEngine does')


def _plain_dtype(code: Any, align: bool = False, copy: bool = False) -> np.dtype:
    """A dtype of plain numbers, and NumPy's own object of it, whose state NumPy does not let a pickle change."""
    for dtype in _DTYPES:
        if code == dtype.str[1:]:
            return np.dtype(dtype.type)
    raise pickle.UnpicklingError(f'the checkpoint holds an array of dtype {code!r}, not of plain numbers')


def _empty_array(*args: Any) -> np.ndarray:
    """An array whose contents follow, as its state."""
    return np.empty(0)


def _scalar(dtype: np.dtype, data: bytes) -> Any:
    return np.frombuffer(data, dtype=dtype, count=1)[0]
