"""A disk on which files cannot grow."""
import resource
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def small_files(limit: int = 10_000) -> Iterator[None]:
    """Let writing fail beyond so many bytes of a file, as on a full disk; child processes inherit it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
