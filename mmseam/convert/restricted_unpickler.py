"""Unpickling of foreign checkpoints without running any code that they name.

A pickle is a program. It can call whatever ``find_class`` hands out, and it can rewrite attributes of whatever lies
on its stack (the ``BUILD`` instruction). So nothing real is handed out: an exact table of names maps to builtin
containers and to inert records of this module, every class of Ultralytics and every ``torch.nn`` module becomes an
empty stub that only keeps its state, and any other name is refused. Tensors stay records of where their numbers lie.
"""
import pickle
from pathlib import PurePath
from typing import IO, Any, Callable, Dict, NamedTuple, Tuple

import numpy as np
import torch

from .errors import CheckpointError, UnsafeCheckpointError

STUB_MODULES = ('ultralytics.', 'torch.nn.modules.')

# Names of torch's typed storages in a checkpoint and the element type of each.
STORAGE_DTYPES = {
    'DoubleStorage': torch.float64, 'FloatStorage': torch.float32, 'HalfStorage': torch.float16,
    'BFloat16Storage': torch.bfloat16, 'LongStorage': torch.int64, 'IntStorage': torch.int32,
    'ShortStorage': torch.int16, 'CharStorage': torch.int8, 'ByteStorage': torch.uint8, 'BoolStorage': torch.bool,
}


class Stub:
    """Stands for an object of a foreign class; keeps the state that the pickle gives it and does nothing.

    Attributes:
        source (str): Full name of the class that it stands for.
        state (dict): What would have become the object's ``__dict__``.
    """

    __slots__ = ('state',)
    source = ''

    def __new__(cls, *args: Any, **kwargs: Any) -> 'Stub':
        """Create it without calling anything of the class that it stands for."""
        stub = super().__new__(cls)
        stub.state = {}
        return stub

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Arguments of the foreign constructor are dropped."""

    def __setstate__(self, state: Any) -> None:
        self.state = dict(state) if isinstance(state, dict) else {}

    @property
    def class_name(self) -> str:
        """str: Name of the foreign class without its module."""
        return self.source.rpartition('.')[2]


class StorageRecord(NamedTuple):
    """Where the numbers of a tensor lie: name of the archive's member, element type, count of elements."""

    key: str
    dtype: torch.dtype
    numel: int


class TensorRecord(NamedTuple):
    """A tensor that was not read yet: its storage, the offset therein, its size and stride (in elements)."""

    storage: StorageRecord
    offset: int
    size: Tuple[int, ...]
    stride: Tuple[int, ...]


class _Dict(dict):
    """``collections.OrderedDict`` without attributes: torch hangs metadata on it that nobody needs here."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        """Drops the attributes."""


class _NumpyDtype:
    """Element type of a pickled NumPy scalar; numbers and booleans only, since an object type could hold anything."""

    __slots__ = ('code',)

    def __init__(self, code: str, *_: Any) -> None:
        if not isinstance(code, str) or code[:1] not in 'fiub' or not code[1:].isdigit():
            raise CheckpointError(f'a NumPy scalar of type {code!r} where a number was expected')
        self.code = code

    def __setstate__(self, state: Any) -> None:
        if state[1] not in ('<', '|', '='):
            raise CheckpointError('a big-endian NumPy scalar')


class _Function:
    """A function that the pickle may call and may not alter (plain functions have attributes to rewrite)."""

    __slots__ = ('_function',)

    def __init__(self, function: Callable) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, state: Any) -> None:
        raise UnsafeCheckpointError(f'the pickle tries to rewrite {self._function.__name__}')


def _rebuild_tensor(storage: Any, offset: int, size: tuple, stride: tuple, *_: Any) -> TensorRecord:
    numbers = (offset, *size, *stride)
    if not isinstance(storage, StorageRecord) or not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise CheckpointError('a tensor without a proper storage, size or stride')
    return TensorRecord(storage, offset, tuple(size), tuple(stride))


def _rebuild_parameter(data: Any, *_: Any) -> TensorRecord:
    if not isinstance(data, TensorRecord):
        raise CheckpointError('a parameter that is not made of a tensor')
    return data


def _numpy_scalar(dtype: Any, data: Any) -> Any:
    if not isinstance(dtype, _NumpyDtype) or not isinstance(data, bytes):
        raise CheckpointError('a NumPy scalar that is not a number')
    return np.frombuffer(data, dtype=f'<{dtype.code}', count=1)[0].item()


def _latin1_bytes(text: str, encoding: str = 'latin1') -> bytes:
    # Protocol 2 writes bytes as text; any other encoding would import a codec of the pickle's choice.
    if encoding != 'latin1':
        raise UnsafeCheckpointError(f'the pickle asks for the codec {encoding!r}')
    return text.encode('latin1')


def _path_text(*parts: str) -> str:
    return str(PurePath(*parts))


def _device_text(*parts: Any) -> str:
    return ':'.join(str(part) for part in parts)


def _stub_class(source: str) -> type:
    return type('Stub', (Stub,), {'__slots__': (), 'source': source})


def _stub_attribute(owner: Any, name: Any) -> type:
    """Stands for ``getattr``, with which a checkpoint stores a method such as ``Detect.forward``."""
    if not (isinstance(owner, type) and issubclass(owner, Stub) and isinstance(name, str)):
        raise UnsafeCheckpointError('the pickle wants builtins.getattr of something that is not a class of the model')
    return _stub_class(f'{owner.source}.{name}')


def _allowed_names() -> Dict[Tuple[str, str], Any]:
    table: Dict[Tuple[str, str], Any] = {
        ('collections', 'OrderedDict'): _Dict,
        ('torch._utils', '_rebuild_tensor_v2'): _Function(_rebuild_tensor),
        ('torch._utils', '_rebuild_parameter'): _Function(_rebuild_parameter),
        ('torch', 'Size'): tuple,
        ('torch', 'device'): _Function(_device_text),
        ('numpy', 'dtype'): _NumpyDtype,
        ('_codecs', 'encode'): _Function(_latin1_bytes),
    }
    for module in ('builtins', '__builtin__'):
        for kind in (set, frozenset, list, dict, tuple, int, float, bool, str):
            table[module, kind.__name__] = kind
        table[module, 'getattr'] = _Function(_stub_attribute)
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        table[module, 'scalar'] = _Function(_numpy_scalar)
    for module in ('pathlib', 'pathlib._local'):
        for name in ('Path', 'PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath'):
            table[module, name] = _Function(_path_text)
    for name, dtype in STORAGE_DTYPES.items():
        table['torch', name] = dtype
        table['torch', str(dtype).rpartition('.')[2]] = str(dtype)
    return table


_ALLOWED = _allowed_names()


class RestrictedUnpickler(pickle.Unpickler):
    """Reads the pickle of a zip-format torch checkpoint into builtin containers, stubs and records.

    Args:
        file (IO[bytes]): The pickle.

    Raises:
        UnsafeCheckpointError: While loading, for any name outside the table and any misuse of one inside it.
    """

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._stubs: Dict[str, type] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Only looks up the table; no module is imported and no attribute followed."""
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        source = f'{module}.{name}'
        if not f'{module}.'.startswith(STUB_MODULES):
            raise UnsafeCheckpointError(
                f'the file wants to execute foreign code, {source}, and is refused. Load it where you trust it, and '
                'save the model again without that object')
        if source not in self._stubs:
            self._stubs[source] = _stub_class(source)
        return self._stubs[source]

    def persistent_load(self, pid: Any) -> StorageRecord:
        """Notes where a storage lies instead of reading it."""
        if not (isinstance(pid, tuple) and len(pid) == 5 and pid[0] == 'storage'):
            raise CheckpointError('a reference to something that is not a tensor storage')
        _, dtype, key, _, numel = pid
        if not (isinstance(dtype, torch.dtype) and isinstance(key, str) and isinstance(numel, int) and numel >= 0):
            raise CheckpointError('a tensor storage without a proper type, name or length')
        return StorageRecord(key, dtype, numel)
