"""Run one training of a study: ``python -m mmseam.analysis.study.study_worker FILE FOLDER VARIANT SEED``.

The parent process holds the other end of standard input. When it is gone, the training stops after the current
iteration and leaves a checkpoint to resume from.
"""
import os
import signal
import sys
import threading
from pathlib import Path

from .study_file import StudyFileError, read_study
from .study_runs import run


def main() -> None:
    """Train and evaluate the run that the command line names."""
    file, folder, variant, seed = sys.argv[1:]
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        run(read_study(file), Path(folder), variant, int(seed))
    except (StudyFileError, OSError) as error:
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt as interrupt:
        raise SystemExit(128 + getattr(interrupt, 'number', signal.SIGINT)) from None


def _stop_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):  # unbuffered: a lock on the buffer would block the exit of the process
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == '__main__':
    main()
