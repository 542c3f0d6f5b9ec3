"""Hide warnings that host packages cause in other packages and that a user can do nothing about.

Broken: MMEngine 0.10 imports ``pkg_resources``, which warns that it is deprecated, and mmdet 3.3 calls
``torch.meshgrid`` without ``indexing``. The requirements of mmseam keep both working.
Remove when MMEngine and mmdet have changed these calls.
"""
import warnings

__all__ = ['hide_host_warnings']

_MESSAGES = ('pkg_resources is deprecated as an API', r'torch\.meshgrid: in an upcoming release')


def hide_host_warnings() -> None:
    """Ignore these warnings in this process."""
    for message in _MESSAGES:
        warnings.filterwarnings('ignore', message=message)
