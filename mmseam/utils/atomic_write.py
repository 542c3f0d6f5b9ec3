"""Atomic writes: a file under its final name is always complete.

All writers of this package go through :func:`atomic_write` (an open file) or :func:`atomic_files` (a path, for writers
that open it themselves or write several files). Failures become a :class:`WriteError` that names the file.
"""
import errno
import os
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Iterator, Optional, Union

from .interruption import Interrupted

# Problem and remedy
_NO_SPACE = {
    errno.ENOSPC: ('disk full', 'free space'),
    errno.EDQUOT: ('disk quota exceeded', 'free space'),
    errno.EFBIG: ('file size limit reached', 'raise it (ulimit -f)'),
}

# Limit for the temporary folder's name; file systems allow 255 bytes
_NAME_LENGTH = 50


class WriteError(OSError):
    """A file cannot be written; the message names it and says what to do."""


class NoSpaceError(WriteError):
    """The disk is full, or a quota or limit is reached; writing more files would fail too."""


@contextmanager
def atomic_write(path: Union[str, Path], mode: str = 'w', fsync: bool = False, keep_interrupted: bool = False,
                 **kwargs) -> Iterator[IO]:
    """Open a file that replaces ``path`` if the block ends without an error; otherwise leave no file behind.

    Args:
        path (str or Path): The file to write; its folder is created.
        mode (str): 'w' or 'wb'. Defaults to 'w'.
        fsync (bool): See :func:`atomic_files`. Defaults to False.
        keep_interrupted (bool): See :func:`atomic_files`. Defaults to False.
        **kwargs: Passed to ``open``; text is UTF-8.

    Yields:
        IO: The open file.

    Raises:
        WriteError: It cannot be written.
    """
    if 'b' not in mode:
        kwargs.setdefault('encoding', 'utf-8')
    with atomic_files(path, fsync, keep_interrupted) as temporary, open(temporary, mode, **kwargs) as file:
        yield file


@contextmanager
def atomic_files(path: Union[str, Path], fsync: bool = False, keep_interrupted: bool = False) -> Iterator[Path]:
    """Write into a hidden folder next to ``path`` whose files move to it when the block ends without an error.

    Symbolic links are followed; devices and pipes (``/dev/stdout``) are written directly.

    Args:
        path (str or Path): The file to write; its folder is created.
        fsync (bool): Flush the files to disk before renaming them, so that even a power failure leaves either the old
            or the new file. Defaults to False.
        keep_interrupted (bool): When :class:`Interrupted` ends the block, keep what was written as
            :func:`partial_path`. Defaults to False.

    Yields:
        Path: Where to write the file. Other files next to it are moved as well, before it.

    Raises:
        WriteError: ``path`` cannot be written.
    """
    if _is_device(Path(path)):
        with write_errors(path, only_space=True):
            yield Path(path)
        return
    path = Path(os.path.realpath(path))
    with ExitStack() as stack:
        with write_errors(path):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, 'it is a folder')
            folder = Path(stack.enter_context(_temporary_folder(path)))
        try:
            with write_errors(path, only_space=True):
                yield folder / path.name
        except Interrupted:
            if keep_interrupted:
                with write_errors(partial_path(path)):
                    os.replace(folder / path.name, partial_path(path))
            raise
        with write_errors(path):
            _publish(folder, path, fsync)


@contextmanager
def atomic_folder(path: Union[str, Path]) -> Iterator[Path]:
    """Write files into a hidden folder; they move into the folder ``path`` when the block ends without an error.

    Args:
        path (str or Path): The folder; files in it that are not written again stay.

    Yields:
        Path: Where to write the files, including subfolders.

    Raises:
        WriteError: They cannot be written.
    """
    path = Path(os.path.realpath(path))
    with ExitStack() as stack:
        with write_errors(path):
            folder = Path(stack.enter_context(_temporary_folder(path)))
        with write_errors(path, only_space=True):
            yield folder
        with write_errors(path):
            for file in sorted(file for file in folder.rglob('*') if file.is_file()):
                target = path / file.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, target)


@contextmanager
def write_errors(path: Union[str, Path], only_space: bool = False) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a :class:`WriteError`.

    Args:
        path (str or Path): The file that the message names.
        only_space (bool): Convert errors about disk space only, including those behind a ``RuntimeError`` of
            ``torch.save``; other errors of the block may be about other files. Defaults to False.

    Raises:
        WriteError: The file cannot be written.
    """
    try:
        yield
    except WriteError:
        raise
    except Exception as error:
        number = _space_errno(error)
        if number:
            problem, remedy = _NO_SPACE[number]
            raise NoSpaceError(f'{problem} while writing {path}: {remedy} and run again') from error
        if 'iostream error' in str(error):  # the only message of C++ writers
            raise NoSpaceError(f'{path} cannot be written, probably a full disk: free space and run again') from error
        if isinstance(error, OSError) and not only_space:
            raise WriteError(f'{path} cannot be written: {error.strerror or error}') from error
        raise


def partial_path(path: Union[str, Path]) -> Path:
    """Return the name of the unfinished version of a file: ``a.partial.json`` for ``a.json``."""
    path = Path(path)
    return path.with_name(f'{path.stem}.partial{path.suffix}')


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _temporary_folder(path: Path) -> tempfile.TemporaryDirectory:
    path.parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=f'.{path.name[:_NAME_LENGTH]}.', suffix='.tmp', dir=path.parent)


def _publish(folder: Path, path: Path, fsync: bool) -> None:
    """Move the files of a folder to the folder of ``path``, ``path`` itself last."""
    files = sorted(folder.iterdir(), key=lambda file: file.name == path.name)
    for file in files if fsync else ():
        _sync(file, os.O_RDWR)
    for file in files:
        os.replace(file, path.with_name(file.name))
    if fsync and os.name == 'posix':  # elsewhere folders cannot be opened
        _sync(path.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    number = os.open(path, flags)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _space_errno(error: Optional[BaseException]) -> Optional[int]:
    """Return the errno of a disk space error in the chain of causes, or None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            return error.errno
        error = error.__cause__ or error.__context__
    return None
