"""Read files of ``torch.save`` without ``torch.load``: the zip format and the legacy one (before PyTorch 1.6)."""
import io
import struct
import zipfile
from typing import IO, Any, Dict, Type

from .pickle_names import RestrictedPickleError
from .pickled_arrays import Storage, TensorUnpickler
from .restricted_unpickler import RestrictedUnpickler

_MAGIC_NUMBER = 0x1950a86a20f9469cfc6c
_PROTOCOL_VERSION = 1001
_DAMAGE = (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, OverflowError, RuntimeError, ValueError)


def read_torch_file(file: IO[bytes], unpickler: Type[TensorUnpickler]) -> Any:
    """Read a file written by ``torch.save``.

    Args:
        file (IO[bytes]): The file, open for reading; storages are read from it when they are first used.
        unpickler (Type[TensorUnpickler]): Interprets its pickle.

    Returns:
        Any: The content.

    Raises:
        UnsafePickleError: It asks for code.
        RestrictedPickleError: It is damaged or not a file of ``torch.save``.
    """
    try:
        if not zipfile.is_zipfile(file):
            file.seek(0)
            return read_legacy_file(file, unpickler)
        archive = _Archive(zipfile.ZipFile(file))
        return unpickler(io.BytesIO(archive.read('data.pkl')), archive.read_storage).load()
    except RestrictedPickleError:
        raise
    except _DAMAGE as error:
        raise RestrictedPickleError(f'damaged, or an incomplete download ({error})') from error


class _Archive:
    """Reader of the zip format.

    The members together must not be larger than the file, because many entries can refer to the same bytes.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        pickles = [name for name in archive.namelist() if name.count('/') == 1 and name.endswith('/data.pkl')]
        if len(pickles) != 1:
            raise RestrictedPickleError('a zip file, but not one written by torch.save (no data.pkl)')
        self._zip, self._root = archive, pickles[0][:-len('data.pkl')]
        self._left = archive.fp.seek(0, io.SEEK_END)
        if f'{self._root}byteorder' in archive.namelist() and self.read('byteorder') != b'little':
            raise RestrictedPickleError('written on a big-endian machine, which is not supported')

    def read(self, member: str) -> bytes:
        try:
            info = self._zip.getinfo(self._root + member)
        except KeyError as error:
            raise RestrictedPickleError(f'damaged: {member} is missing in the archive') from error
        if info.compress_type != zipfile.ZIP_STORED:  # torch never compresses; a bomb would
            raise RestrictedPickleError(f'{member} is compressed, which torch.save never does')
        self._left -= info.file_size
        if self._left < 0:
            raise RestrictedPickleError('its members add up to more than the file')
        try:
            return self._zip.read(info)
        except _DAMAGE as error:
            raise RestrictedPickleError(f'damaged: {member} cannot be read ({error})') from error

    def read_storage(self, storage: Storage) -> bytearray:
        data = bytearray(self.read(f'data/{storage.key}'))
        if len(data) != storage.num_bytes:
            raise RestrictedPickleError(f'damaged: data/{storage.key} has {len(data)} bytes, not those of its tensors')
        return data


def read_legacy_file(file: IO[bytes], unpickler: Type[TensorUnpickler]) -> Any:
    """Read the format before PyTorch 1.6, which is still used for a tensor inside an ordinary pickle.

    Args:
        file (IO[bytes]): The file.
        unpickler (Type[TensorUnpickler]): Interprets its pickle.

    Returns:
        Any: The content.

    Raises:
        UnsafePickleError: It asks for code.
        RestrictedPickleError: It is damaged or not a file of ``torch.save``.
    """
    if not _is_legacy(file):
        raise RestrictedPickleError('not a file written by torch.save. If it is a download, it may be incomplete')
    left = _rest(file)

    def reserve(storage: Storage) -> bytearray:
        """Allocate a storage, up to the file length in total; its data follow after the pickle."""
        nonlocal left
        left -= storage.num_bytes
        if left < 0:
            raise RestrictedPickleError('its storages add up to more than the file')
        return bytearray(storage.num_bytes)

    reader = unpickler(file, reserve)
    content = reader.load()
    _fill(file, RestrictedUnpickler(file).load(), reader.storages)
    return content


def _is_legacy(file: IO[bytes]) -> bool:
    try:
        header = [RestrictedUnpickler(file).load() for _ in range(3)]
    except RestrictedPickleError:
        return False
    return header[:2] == [_MAGIC_NUMBER, _PROTOCOL_VERSION] and type(header[2]) is dict and (
        header[2].get('little_endian') is True)


def _rest(file: IO[bytes]) -> int:
    position = file.tell()
    length = file.seek(0, io.SEEK_END) - position
    file.seek(position)
    return length


def _fill(file: IO[bytes], keys: Any, storages: Dict[str, Storage]) -> None:
    if type(keys) is not list or not all(type(key) is str and key in storages for key in keys):
        raise RestrictedPickleError('damaged: invalid list of storages')
    for key in keys:
        storage = storages[key]
        count = file.read(8)
        if len(count) != 8 or struct.unpack('<q', count)[0] != storage.numel or (
                file.readinto(storage.data) != storage.num_bytes):
            raise RestrictedPickleError(f'damaged: the data of storage {key} are incomplete')
    if len(set(keys)) != len(storages):
        raise RestrictedPickleError('damaged: storages without data')
