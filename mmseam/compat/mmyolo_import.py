"""Let mmyolo be imported beside mmcv 2.1 or newer.

Broken: ``mmyolo/__init__.py`` (0.6, the last release) asserts ``mmcv < 2.1``. OneDL's maintained mmcv is 2.3.
Remove when mmyolo has a release without that assertion.

While its ``__init__.py`` is executed, mmyolo sees an accepted ``mmcv.__version__``.
"""
import importlib
from contextlib import contextmanager
from typing import Iterator

from .import_hooks import during_import

__all__ = ['accept_new_mmcv']

_ACCEPTED = '2.0.1'


@contextmanager
def _accepted_version() -> Iterator[None]:
    from packaging.version import Version  # keeps `mmseam --help` fast
    mmcv = importlib.import_module('mmcv')
    version = mmcv.__version__
    if Version(version).release >= (2, 1):
        mmcv.__version__ = _ACCEPTED
    try:
        yield
    finally:
        mmcv.__version__ = version


def accept_new_mmcv() -> None:
    """Register the exception for mmyolo; older mmcv are left to the assertion."""
    during_import('mmyolo', _accepted_version)
