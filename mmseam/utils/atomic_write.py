"""Files that are whole or not there."""
import os
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Iterator, Union


@contextmanager
def atomic_write(path: Union[str, Path], mode: str = 'w', **kwargs) -> Iterator[IO]:
    """Open a file that replaces ``path`` when the block ends without an error; else nothing is left behind.

    Args:
        path (str or Path): The file to write; its folder is created.
        mode (str): 'w' or 'wb'. Defaults to 'w'.
        **kwargs: Passed to ``open``; text is UTF-8.

    Yields:
        IO: The open file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{uuid.uuid4().hex}.tmp')  # processes may share the folder
    if 'b' not in mode:
        kwargs.setdefault('encoding', 'utf-8')
    try:
        with open(temporary, mode, **kwargs) as file:
            yield file
        os.replace(temporary, path)
    finally:
        if temporary.exists():
            temporary.unlink()
