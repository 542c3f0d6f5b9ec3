"""One training at a time in a work folder."""
import json
import os
import shutil
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Iterator

from mmengine.logging import print_log

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

NAME = '.training.lock'
BEAT_SECONDS = 20
#: The lock file of a living training is at most so old, slow file servers and clocks that differ included.
STALE_SECONDS = 300
#: How long to look whether a training on another machine is alive.
WATCH_SECONDS = 3 * BEAT_SECONDS


class WorkDirInUseError(RuntimeError):
    """Another training runs in the work folder; the message names it."""


@contextmanager
def lock_work_dir(work_dir: str) -> Iterator[None]:
    """Refuse a second training in a work folder as long as the block runs, and remove what a killed one left there.

    The operating system releases the lock when the process ends, however it ends. Some network file systems lock for
    one machine only. So the file names the process and its machine and is touched now and then: a training on another
    machine is watched for a minute before its lock is taken over.

    Args:
        work_dir (str): The folder, created if need be.

    Raises:
        WorkDirInUseError: Another training runs in it.
    """
    path = Path(work_dir, NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'a+', encoding='utf-8') as file:
        _acquire(file, path)
        _write_owner(file)
        _remove_temporary(path.parent)
        stopped = threading.Event()
        threading.Thread(target=_beat, args=(path, stopped), daemon=True).start()
        try:
            yield
        finally:
            stopped.set()
            file.truncate(0)  # It is not deleted: another process may be waiting with the same file


def _acquire(file: IO, path: Path) -> None:
    owner = _read_owner(file)
    try:
        if fcntl is not None:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise WorkDirInUseError(_in_use(path, owner)) from None
    except OSError as error:
        print_log(f'{path.parent} cannot be locked ({error}): start no second training in it', 'current')
    if owner and owner.get('host') != socket.gethostname() and _is_touched(path):
        raise WorkDirInUseError(f'{_in_use(path, owner)}. If that machine is down, delete {path}')


def _in_use(path: Path, owner: dict) -> str:
    return (f'another training runs in {path.parent}: process {owner.get("pid", "?")} on {owner.get("host", "?")}, '
            f'since {owner.get("since", "?")}. Wait for its end, or choose another --work-dir')


def _is_touched(path: Path) -> bool:
    """Whether a training on another machine keeps its lock fresh."""
    before = path.stat().st_mtime
    if time.time() - before > STALE_SECONDS:
        return False
    print_log(f'{path} was left by a training on another machine: looking for {WATCH_SECONDS} s whether it runs',
              'current')
    end = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < end and path.stat().st_mtime == before:
        time.sleep(min(1, WATCH_SECONDS))
    return path.stat().st_mtime != before


def _read_owner(file: IO) -> dict:
    file.seek(0)
    try:
        owner = json.load(file)
    except ValueError:  # the last training ended as it should
        return {}
    return owner if isinstance(owner, dict) else {}


def _write_owner(file: IO) -> None:
    file.truncate(0)
    json.dump(dict(pid=os.getpid(), host=socket.gethostname(), since=time.strftime('%Y-%m-%d %H:%M:%S')), file)
    file.flush()


def _beat(path: Path, stopped: threading.Event) -> None:
    while not stopped.wait(BEAT_SECONDS):
        with suppress(OSError):  # the folder was deleted
            os.utime(path)


def _remove_temporary(work_dir: Path) -> None:
    """Remove unfinished files of :func:`mmseam.utils.atomic_write.atomic_write`."""
    for path in work_dir.glob('.*.tmp'):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
