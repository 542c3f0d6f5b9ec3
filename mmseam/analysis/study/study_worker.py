"""Process of one run of a study: ``python -m mmseam.analysis.study.study_worker FILE FOLDER VARIANT SEED``.

It stops at the next iteration, with a checkpoint to resume from, when the process that started it is gone: that one
holds the other end of its standard input.
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
    while os.read(sys.stdin.fileno(), 1):  # unbuffered: a lock of the buffer would disturb the end of the process
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == '__main__':
    main()
