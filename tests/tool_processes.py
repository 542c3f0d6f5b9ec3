"""Tools in processes of their own, as users run them."""
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Callable, List, Tuple

ROOT = Path(__file__).resolve().parent.parent
HANGS = 600  # seconds; far more than a tool needs, even on a machine that is busy otherwise


def run_tool(name: str, *arguments, succeeds: bool = True) -> str:
    """Run a tool; returns what it wrote to both streams."""
    command = [sys.executable, str(ROOT / 'tools' / name), *map(str, arguments)]
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=HANGS,
                             check=False, env=dict(os.environ, OMP_NUM_THREADS='1', MPLBACKEND='Agg'))
    assert (process.returncode == 0) is succeeds, process.stdout
    return process.stdout


def interrupt_tool(interrupt: Callable[[subprocess.Popen], None], is_begun: Callable[[], bool], *command,
                   **environment: str) -> Tuple[int, str]:
    """Let something happen to a tool, the leader of its process group, once it has begun.

    Args:
        interrupt (Callable): Called with the process.
        is_begun (Callable): Whether it is time.
        *command: Script and options.
        **environment (str): Further environment variables.

    Returns:
        tuple: Exit code, and what it wrote to both streams.
    """
    environment = dict(os.environ, OMP_NUM_THREADS='1', **environment)
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + HANGS
        while not is_begun():
            assert process.poll() is None and time.monotonic() < deadline, process.communicate(timeout=1)[0]
            time.sleep(.1)
        interrupt(process)
        text = process.communicate(timeout=HANGS)[0]
        return process.returncode, text
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def children(pid: int) -> List[int]:
    """Direct child processes."""
    return [int(child) for child in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]
