"""Reuse memory between training steps on a CPU."""
import ctypes
import sys

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmseam.registry import HOOKS

# Of <malloc.h>
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


@HOOKS.register_module()
class KeepMemoryHook(Hook):
    """Keep freed memory for the next step if the network is on a CPU.

    See :func:`keep_freed_memory`. Without it a step of YOLO11n (16 images of 320 pixels) waits for
    70,000 new pages, which takes an eighth of its time.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Configure the process before the first step."""
        if {parameter.device.type for parameter in runner.model.parameters()} == {'cpu'}:
            keep_freed_memory()


def keep_freed_memory() -> bool:
    """Make the process keep freed memory for its next tensors.

    By default, the C library returns large blocks to the system as soon as they are freed, and every tensor of the next
    step is mapped and zeroed page by page again. With this setting the process keeps its peak size.

    Returns:
        bool: Whether this is supported; needs glibc, the C library of most Linux systems except Alpine.
    """
    if not sys.platform.startswith('linux'):
        return False
    library = ctypes.CDLL(None)
    if not (hasattr(library, 'gnu_get_libc_version') and hasattr(library, 'mallopt')):
        return False
    # Never trim the heap, and allocate all blocks in it
    return bool(library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1) and library.mallopt(_M_MMAP_MAX, 0))
