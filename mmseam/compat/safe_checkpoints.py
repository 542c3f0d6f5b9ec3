"""Load MMEngine's checkpoints without ``torch.load``, so that no checkpoint runs code on any version of PyTorch.

Broken: before PyTorch 2.6, ``torch.load`` in MMEngine's loaders executes the pickle of the checkpoint. Since 2.6 it
refuses the checkpoints that MMEngine 0.10 itself writes, because of their log history (``HistoryBuffer``). Adding its
names to PyTorch's safe globals would allow ``numpy.ndarray`` and ``getattr`` in the complete process. OneDL's MMEngine
does that in its ``_safe_torch_load``, and loads what is refused all the same with ``weights_only=False``.
Remove when MMEngine stores plain numbers and passes ``weights_only=True``.

``torch.load`` and that function are replaced in MMEngine's loaders only. Importing ``mmengine.runner`` takes a second,
so it is patched when it is first imported.
"""
import os
from collections import Counter
from types import ModuleType
from typing import IO, Any, Callable, Dict, Optional, Union

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from torch import Tensor

from mmseam.utils.container_tree import check_tree
from mmseam.utils.pickle_names import Name, RestrictedPickleError, UnsafePickleError, name_table
from mmseam.utils.pickled_arrays import ITEM_SIZES, TensorRecord, TensorUnpickler, torch_names
from mmseam.utils.torch_file import read_torch_file

__all__ = ['CheckpointFileError', 'load_checkpoint_file', 'protect_checkpoint_loaders']

_STATISTICS = ('min', 'max', 'current', 'mean')
_ONE_CYCLE = 'mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler'


class CheckpointFileError(ValueError):
    """A checkpoint that is damaged or refers to code; the message names the file."""


def load_checkpoint_file(file: Union[str, os.PathLike, IO[bytes]], map_location: Any = None, **_: Any) -> Any:
    """Load a checkpoint; replaces ``torch.load``.

    Args:
        file (str or PathLike or IO[bytes]): Path of the checkpoint, or an open file.
        map_location (Any, optional): Ignored; part of the signature of ``torch.load``. Defaults to None.

    Returns:
        Any: The content, with tensors on the CPU; loading a state dict copies them to the device of the model.

    Raises:
        CheckpointFileError: The file is damaged or refers to code that MMEngine's checkpoints do not need.
    """
    if not hasattr(file, 'read'):
        with open(file, 'rb') as opened:
            return load_checkpoint_file(opened, map_location)
    unpickler = type('CheckpointUnpickler', (TensorUnpickler, ), dict(names=_names(_TensorMaker())))
    try:
        content = read_torch_file(file, unpickler)
        check_tree(content)
        return _checked(content)
    except RestrictedPickleError as error:
        raise CheckpointFileError(f'{getattr(file, "name", "the checkpoint")}: {error}') from error


def _checked(content: Any) -> Any:
    """Check the types of the parts that MMEngine reads."""
    if not isinstance(content, dict):
        return content
    meta = content.get('meta') or {}
    dataset_meta = meta.get('dataset_meta') or {} if isinstance(meta, dict) else {}
    parts = [meta, dataset_meta, content.get('state_dict', {})]
    if not all(isinstance(part, dict) and all(type(key) is str for key in part) for part in parts):
        raise RestrictedPickleError('damaged: meta or state_dict is not a dict with strings as keys')
    # MMCV stored the config as text; MMEngine would execute it to read the number of GPUs.
    meta.pop('config', None)
    return content


class _TensorMaker:
    """Builds tensors; tensors that shared a storage when they were saved share it again."""

    def __init__(self) -> None:
        self._storages: Dict[str, torch.UntypedStorage] = {}

    def __call__(self, record: TensorRecord) -> Tensor:
        storage = record.storage
        dtype = getattr(torch, storage.dtype)
        if not storage.numel:
            return torch.empty(record.size, dtype=dtype)
        if storage.key not in self._storages:
            self._storages[storage.key] = torch.frombuffer(storage.data, dtype=dtype).untyped_storage()
        numbers = self._storages[storage.key]
        return torch.empty(0, dtype=dtype).set_(numbers, record.offset, record.size, record.stride)


def _names(make_tensor: Callable[[TensorRecord], Tensor]) -> dict:
    return {
        **TensorUnpickler.names,
        **torch_names(make_tensor),
        **{('torch', dtype): getattr(torch, dtype) for dtype in ITEM_SIZES},
        **_MMENGINE_NAMES,
    }


def _get_method(owner: Any, name: str) -> Callable:
    """Replace ``getattr``; allow only the statistics of a log history and the curves of the one-cycle schedule."""
    source = owner.source if type(owner) is Name else ''
    if source.endswith('.HistoryBuffer') and name in _STATISTICS:
        return getattr(HistoryBuffer, name)
    if source == _ONE_CYCLE and name in ('_annealing_cos', '_annealing_linear'):
        from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler  # takes a second
        return getattr(OneCycleParamScheduler, name)
    raise UnsafePickleError(f'it accesses the attribute {str(name)[:50]!r}, which no checkpoint of MMEngine does: '
                            'it is damaged or designed to run code')


def _set_history(history: HistoryBuffer, state: Any) -> None:
    """Restore the numbers, and the statistics from the class instead of the file."""
    state = {name: state[name] for name in ('max_length', '_log_history', '_count_history')}
    if [type(value) for value in state.values()] != [int, np.ndarray, np.ndarray]:
        raise RestrictedPickleError('damaged: invalid log history')
    history.__dict__.update(state)
    history._set_default_statistics()


def _set_metadata(state_dict: dict, attributes: Any) -> None:
    """Restore the layer versions, which PyTorch stores as an attribute of the state dict."""
    if isinstance(attributes, dict) and isinstance(attributes.get('_metadata'), dict):
        state_dict._metadata = attributes['_metadata']


def _make_counter(counts: Any) -> Counter:
    """Make the milestones of ``MultiStepLR``, such as those of mmdet's 1x schedules."""
    if type(counts) is not dict or not all(type(value) is int for item in counts.items() for value in item):
        raise RestrictedPickleError('damaged: invalid milestones')
    return Counter(counts)


_MMENGINE_NAMES = name_table({
    'collections.Counter': (_make_counter, ),
    'collections.OrderedDict': (TensorUnpickler.names['collections', 'OrderedDict'].call, _set_metadata),
    'mmengine.logging.history_buffer.HistoryBuffer': (lambda: HistoryBuffer.__new__(HistoryBuffer), _set_history),
    _ONE_CYCLE: (),
    'builtins.getattr': (_get_method, ),
    '__builtin__.getattr': (_get_method, ),
})


class _TorchForLoaders:
    """The ``torch`` module with ``load`` replaced, for MMEngine's loaders."""

    load = staticmethod(load_checkpoint_file)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def _load_url(url: str, model_dir: Optional[str] = None, map_location: Any = None, progress: bool = True,
              **_: Any) -> Any:
    """Download the file once, like ``torch.hub.load_state_dict_from_url``, and load it."""
    folder = model_dir or os.path.join(torch.hub.get_dir(), 'checkpoints')
    path = os.path.join(folder, os.path.basename(url.partition('?')[0]))
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        torch.hub.download_url_to_file(url, path, progress=progress)
    return load_checkpoint_file(path, map_location)


def protect_checkpoint_loaders(loaders: ModuleType) -> None:
    """Replace ``torch.load`` in MMEngine's checkpoint loaders, and nowhere else.

    Args:
        loaders (ModuleType): ``mmengine.runner.checkpoint``.
    """
    loaders.torch, loaders.load_url = _TorchForLoaders(), _load_url
    if hasattr(loaders, '_safe_torch_load'):  # of OneDL's MMEngine
        loaders._safe_torch_load = load_checkpoint_file
