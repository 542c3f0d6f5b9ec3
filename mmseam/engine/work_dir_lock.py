"""Lock a work folder for one training."""
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
#: Maximum age of the lock file of a running training, including slow file servers and clock differences.
STALE_SECONDS = 300
#: How long to watch the lock of a training on another machine.
WATCH_SECONDS = 3 * BEAT_SECONDS


class WorkDirInUseError(RuntimeError):
    """Another training runs in the work folder; the message names it."""


@contextmanager
def lock_work_dir(work_dir: str) -> Iterator[None]:
    """Lock a work folder during the block, and remove temporary files of killed trainings.

    The operating system releases the lock when the process ends, however it ends. Some network file systems lock
    per machine only. So the file records the process and its machine and is touched periodically; the lock of another
    machine is watched for a minute before it is taken over.

    Args:
        work_dir (str): The folder, created if it does not exist.

    Raises:
        WorkDirInUseError: Another training runs in it.
        OSError: It cannot be written.
    """
    path = Path(work_dir, NAME)
    with _open(path) as file:
        _acquire(file, path)
        _write_owner(file)
        _remove_temporary(path.parent)
        stopped = threading.Event()
        threading.Thread(target=_beat, args=(path, stopped), daemon=True).start()
        try:
            yield
        finally:
            stopped.set()
            file.truncate(0)  # Not deleted: another process may have it open


def _open(path: Path) -> IO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, 'a+', encoding='utf-8')
    except OSError as error:
        raise OSError(f'the work folder {path.parent} cannot be written ({error.strerror}); choose another one with '
                      '--work-dir') from error


def _acquire(file: IO, path: Path) -> None:
    owner = _read_owner(file)
    try:
        if fcntl is not None:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise WorkDirInUseError(_in_use(path, owner)) from None
    except OSError as error:
        print_log(f'{path.parent} cannot be locked ({error}): do not start a second training in it', 'current')
    if owner and owner.get('host') != socket.gethostname() and _is_touched(path):
        raise WorkDirInUseError(f'{_in_use(path, owner)}. If that machine is down, delete {path}')


def _in_use(path: Path, owner: dict) -> str:
    return (f'another training is running in {path.parent}: process {owner.get("pid", "?")} on '
            f'{owner.get("host", "?")}, since {owner.get("since", "?")}. Wait until it ends, or choose '
            'another --work-dir')


def _is_touched(path: Path) -> bool:
    """Return whether a training on another machine keeps touching its lock."""
    before = path.stat().st_mtime
    if time.time() - before > STALE_SECONDS:
        return False
    print_log(f'{path} is from a training on another machine; watching it for {WATCH_SECONDS} s to see if it '
              'still runs', 'current')
    end = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < end and path.stat().st_mtime == before:
        time.sleep(min(1, WATCH_SECONDS))
    return path.stat().st_mtime != before


def _read_owner(file: IO) -> dict:
    file.seek(0)
    try:
        owner = json.load(file)
    except ValueError:  # the last training ended normally
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
