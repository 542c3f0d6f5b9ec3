"""One-line errors for data loader workers."""
import re
from contextlib import contextmanager
from typing import Iterator

_KILLED = re.compile(r'DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\) (exited unexpectedly|is killed by signal: .*)')
_ADVICE = ('probably the system ran out of memory: lower num_workers of the data loader or cache_gb of the image '
           'cache; in a container, raise the shared memory (--shm-size)')


class LoaderError(RuntimeError):
    """A data loader worker was killed."""


@contextmanager
def loader_errors() -> Iterator[None]:
    """Raise a one-line error if a data loader worker is killed or cannot read an image.

    Raises:
        LoaderError: A worker was killed.
        OSError: A worker could not read a file; the message names it.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        text = str(error)
        killed = _KILLED.match(text)
        if killed:
            what = f'a data loader worker (pid {killed[1]}) {killed[2].strip().rstrip(".")}'
            raise LoaderError(f'{what}; {_ADVICE}') from error
        if isinstance(error, ConnectionError):  # while it sent an image
            raise LoaderError(f'a data loader worker was killed; {_ADVICE}') from error
        if isinstance(error, OSError) and ' in DataLoader worker process ' in text.split('\n', 1)[0]:
            raise OSError(re.sub(r'^[\w.]*(Error|Exception): ', '', text.strip().split('\n')[-1])) from error
        raise
