"""Count the available CPU cores."""
import os
from pathlib import Path

_SIBLINGS = '/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list'


def available_cores() -> int:
    """Count the physical cores available to this process.

    Returns:
        int: Cores in the affinity mask of the process; hardware threads of one core count once, because they share
        its arithmetic units. If the system does not report this, the number of processors.
    """
    if not hasattr(os, 'sched_getaffinity'):
        return os.cpu_count() or 1
    processors = os.sched_getaffinity(0)
    files = [Path(_SIBLINGS.format(processor)) for processor in processors]
    return len({file.read_text() for file in files}) if all(file.is_file() for file in files) else len(processors)
