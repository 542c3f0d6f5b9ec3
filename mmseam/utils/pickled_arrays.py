"""Restricted unpickling of NumPy arrays and PyTorch tensors of plain numbers, with checked types and sizes."""
import math
from typing import Any, Callable, Dict, NamedTuple, Tuple

import numpy as np

from .pickle_names import PLAIN_NAMES, Name, RestrictedPickleError, name_table
from .restricted_unpickler import RestrictedUnpickler

_MAX_DIMENSIONS = 32
_NUMPY_DTYPES = {np.dtype(code).str[1:]: np.dtype(code) for code in '?bBhHiIlLqQefd'}

# Bytes of an element, by name of the type in PyTorch.
ITEM_SIZES = {
    'float64': 8, 'float32': 4, 'float16': 2, 'bfloat16': 2, 'int64': 8, 'int32': 4, 'int16': 2, 'int8': 1, 'uint8': 1,
    'bool': 1, 'complex128': 16, 'complex64': 8,
}
# Names of PyTorch's typed storages in a file and the element type of each.
STORAGE_DTYPES = {
    'torch.DoubleStorage': 'float64', 'torch.FloatStorage': 'float32', 'torch.HalfStorage': 'float16',
    'torch.BFloat16Storage': 'bfloat16', 'torch.LongStorage': 'int64', 'torch.IntStorage': 'int32',
    'torch.ShortStorage': 'int16', 'torch.CharStorage': 'int8', 'torch.ByteStorage': 'uint8',
    'torch.BoolStorage': 'bool', 'torch.ComplexDoubleStorage': 'complex128', 'torch.ComplexFloatStorage': 'complex64',
}


class _NumPyDtype:
    """Element type of a pickled array; numbers and bools only, because object arrays could contain anything."""

    __slots__ = ('dtype', )

    def __init__(self, code: Any, *_: Any) -> None:
        text = code.lstrip('<|=') if type(code) is str else ''
        if text not in _NUMPY_DTYPES:
            raise RestrictedPickleError(f'NumPy values of type {str(code)[:20]!r} instead of plain numbers')
        self.dtype = _NUMPY_DTYPES[text]

    def set_state(self, state: Any) -> None:
        """Check that the state contains the byte order only."""
        if type(state) is not tuple or state[1] not in ('<', '|', '=') or any(state[2:5]):
            raise RestrictedPickleError('NumPy values of a big-endian or structured type')


def _checked_shape(shape: Any) -> Tuple[int, ...]:
    if type(shape) is not tuple or len(shape) > _MAX_DIMENSIONS or not all(
            type(side) is int and 0 <= side < 1 << 40 for side in shape):
        raise RestrictedPickleError('an array with an invalid shape')
    return shape


def _check_length(data: Any, dtype: Any, shape: Tuple[int, ...]) -> None:
    if type(dtype) is not _NumPyDtype or not isinstance(data, (bytes, bytearray)) or (
            len(data) != math.prod(shape) * dtype.dtype.itemsize):
        raise RestrictedPickleError('an array whose data do not match its shape and type')


def _set_array_state(array: np.ndarray, state: Any) -> None:
    version, shape, dtype, is_fortran, data = state
    _check_length(data, dtype, _checked_shape(shape))
    array.__setstate__((1, shape, dtype.dtype, bool(is_fortran), bytes(data)))


def _array_of_buffer(data: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    _check_length(data, dtype, _checked_shape(shape))
    return np.frombuffer(data, dtype.dtype).reshape(shape, order='F' if order == 'F' else 'C').copy(order='K')


def _numpy_scalar(dtype: Any, data: Any) -> np.generic:
    _check_length(data, dtype, ())
    return np.frombuffer(data, dtype.dtype)[0]


NUMPY_NAMES = name_table({
    'numpy.dtype': (_NumPyDtype, _NumPyDtype.set_state),
    'numpy.ndarray': (),
    **{f'numpy.{core}.{name}': entry for core in ('core', '_core') for name, entry in {  # NumPy 1, NumPy 2
        'multiarray._reconstruct': (lambda *_: np.empty(0), _set_array_state),
        'multiarray.scalar': (_numpy_scalar, ),
        'numeric._frombuffer': (_array_of_buffer, ),
    }.items()},
})


class Storage:
    """Storage of one or several tensors.

    Args:
        key (str): Its name in the file.
        dtype (str): Name of the element type in PyTorch.
        numel (int): Number of elements.
        read (Callable): Takes this storage and returns its bytes; called once, on first use.
    """

    __slots__ = ('key', 'dtype', 'numel', '_read', '_data')

    def __init__(self, key: str, dtype: str, numel: int, read: Callable[['Storage'], bytearray]) -> None:
        self.key, self.dtype, self.numel, self._read, self._data = key, dtype, numel, read, None

    @property
    def num_bytes(self) -> int:
        """int: Length of its data."""
        return self.numel * ITEM_SIZES[self.dtype]

    @property
    def data(self) -> bytearray:
        """bytearray: The numbers, little-endian."""
        if self._data is None:
            self._data = self._read(self)
        return self._data


class TensorRecord(NamedTuple):
    """A tensor within the bounds of its storage; offset, size and stride in elements."""

    storage: Storage
    offset: int
    size: Tuple[int, ...]
    stride: Tuple[int, ...]

    @property
    def numel(self) -> int:
        """int: Number of elements."""
        return math.prod(self.size)


def _tensor_record(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> TensorRecord:
    numbers = (offset, *_checked_shape(size), *_checked_shape(stride))
    if type(storage) is not Storage or len(size) != len(stride) or type(offset) is not int or min(numbers) < 0:
        raise RestrictedPickleError('a tensor with an invalid storage, size or stride')
    end = offset + 1 + sum((side - 1) * step for side, step in zip(size, stride)) if all(size) else offset
    if end > storage.numel:
        raise RestrictedPickleError(f'damaged: a tensor exceeds data/{storage.key}')
    return TensorRecord(storage, offset, size, stride)


def _parameter(data: Any, *_: Any) -> Any:
    if isinstance(data, (Name, Storage)) or data is None:
        raise RestrictedPickleError('a parameter that is not made from a tensor')
    return data


def _tensor_with_attributes(rebuild: Any, _: Any, arguments: Any, *__: Any) -> Any:
    if type(rebuild) is not Name or rebuild.source != 'torch._utils._rebuild_tensor_v2' or type(arguments) is not tuple:
        raise RestrictedPickleError('a tensor of an unknown type')
    return rebuild.call(*arguments)


def torch_names(make_tensor: Callable[[TensorRecord], Any]) -> Dict[Tuple[str, str], Name]:
    """Build the table of names allowed in PyTorch files.

    Args:
        make_tensor (Callable): Converts a :class:`TensorRecord` to the object in the content.

    Returns:
        dict: :class:`Name` by module and name.
    """
    return name_table({
        'torch._utils._rebuild_tensor_v2': (lambda *arguments: make_tensor(_tensor_record(*arguments)), ),
        'torch._tensor._rebuild_from_type_v2': (_tensor_with_attributes, ),
        'torch.Tensor': (),
        'torch._utils._rebuild_parameter': (_parameter, ),
        'torch._utils._rebuild_parameter_with_state': (_parameter, ),
        'torch.Size': (_checked_shape, ),
        'torch.device': (lambda *parts: ':'.join(str(part) for part in parts if type(part) in (str, int)), ),
        **dict.fromkeys(STORAGE_DTYPES, ()),
        **{f'torch.{dtype}': () for dtype in ITEM_SIZES},
    })


class TensorUnpickler(RestrictedUnpickler):
    """Unpickler of PyTorch files; ``make_tensor`` of its names builds the tensors.

    Args:
        file (IO[bytes]): See :class:`RestrictedUnpickler`.
        read (Callable): See :class:`Storage`.
    """

    names = {**PLAIN_NAMES, **NUMPY_NAMES, **torch_names(lambda record: record)}

    def __init__(self, file: Any, read: Callable[[Storage], bytearray]) -> None:
        super().__init__(file)
        self._read = read
        self.storages: Dict[str, Storage] = {}

    def persistent_load(self, pid: Any) -> Storage:
        """Register a storage; its data are read on first use.

        Args:
            pid (Any): ``('storage', type, key, device, number of elements)``, with one more item in old files.

        Returns:
            Storage: The storage.

        Raises:
            RestrictedPickleError: It is not a valid storage.
        """
        if type(pid) is not tuple or not 5 <= len(pid) <= 6 or pid[0] != 'storage' or pid[5:] not in ((), (None, )):
            raise RestrictedPickleError('a reference to something that is not a tensor storage')
        _, kind, key, _, numel = pid[:5]
        dtype = STORAGE_DTYPES.get(kind.source) if type(kind) is Name else None
        if dtype is None or type(key) is not str or type(numel) is not int or not 0 <= numel < 1 << 40:
            raise RestrictedPickleError('a tensor storage with an invalid type, name or length')
        storage = self.storages.setdefault(key, Storage(key, dtype, numel, self._read))
        if (storage.dtype, storage.numel) != (dtype, numel):
            raise RestrictedPickleError(f'damaged: two definitions of data/{key}')
        return storage
