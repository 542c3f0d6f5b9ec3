"""Memory of the processor's side."""
import ctypes
import sys

# Of <malloc.h>
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, for its next tensors.

    The C library gives large blocks back to the system as soon as they are free; every tensor of the next training step
    is then mapped and zeroed page by page again. The process keeps the largest size it ever had instead.

    Returns:
        bool: Whether this was possible; glibc only, as in nearly all Linux systems but Alpine's.
    """
    if not sys.platform.startswith('linux'):
        return False
    library = ctypes.CDLL(None)
    if not (hasattr(library, 'gnu_get_libc_version') and hasattr(library, 'mallopt')):
        return False
    # No upper part of the heap is ever given back, and no block lies outside the heap.
    return bool(library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1) and library.mallopt(_M_MMAP_MAX, 0))
