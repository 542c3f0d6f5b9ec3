"""The name of the processor, for reports of measurements."""
import platform
from pathlib import Path


def processor_name() -> str:
    """Name the processor as the system does.

    Returns:
        str: Its model, or its architecture where no model is told.
    """
    info = Path('/proc/cpuinfo')
    lines = info.read_text(encoding='utf-8').splitlines() if info.is_file() else []
    names = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()
