"""How many threads are worth starting."""
import os
from pathlib import Path

_SIBLINGS = '/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list'


def available_cores() -> int:
    """Count the physical cores that this process may use.

    Returns:
        int: Cores within the process's affinity mask; two hardware threads of one core count once, as they share its
        arithmetic units. Where the system does not tell, its number of processors.
    """
    if not hasattr(os, 'sched_getaffinity'):
        return os.cpu_count() or 1
    processors = os.sched_getaffinity(0)
    files = [Path(_SIBLINGS.format(processor)) for processor in processors]
    return len({file.read_text() for file in files}) if all(file.is_file() for file in files) else len(processors)
