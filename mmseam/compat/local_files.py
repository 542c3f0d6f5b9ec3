"""Make the host packages write local files atomically.

Broken: MMEngine's ``LocalBackend`` (still in 0.10) writes in place. A full disk or a killed process leaves a
truncated result, COCO JSON or image in place of an earlier complete one, and the error does not name the file.
Remove when MMEngine writes to a temporary file and renames it.
"""
from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend

from mmseam.utils.atomic_write import atomic_write


class AtomicLocalBackend(LocalBackend):
    """MMEngine's backend for local files, with atomic writes.

    Args:
        fsync (bool): See :func:`mmseam.utils.atomic_write.atomic_files`. Defaults to False.
    """

    def __init__(self, fsync: bool = False) -> None:
        self._fsync = fsync

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write bytes.

        Args:
            obj (bytes): Content.
            filepath (str or Path): File; its folder is created.

        Raises:
            WriteError: It cannot be written.
        """
        with atomic_write(filepath, 'wb', fsync=self._fsync) as file:
            file.write(obj)

    def put_text(self, obj: str, filepath: Union[str, Path], encoding: str = 'utf-8') -> None:
        """Write text.

        Args:
            obj (str): Content.
            filepath (str or Path): File; its folder is created.
            encoding (str): Defaults to 'utf-8'.

        Raises:
            WriteError: It cannot be written.
        """
        with atomic_write(filepath, fsync=self._fsync, encoding=encoding) as file:
            file.write(obj)


def write_local_files_atomically() -> None:
    """Register :class:`AtomicLocalBackend` as MMEngine's backend for local files."""
    register_backend('local', AtomicLocalBackend, force=True, prefixes='')
