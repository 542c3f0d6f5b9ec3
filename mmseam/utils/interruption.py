"""Stopping at a point where nothing is lost, on SIGINT (Ctrl-C) and SIGTERM (``kill``, Slurm, containers)."""
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import Iterable, Iterator, NoReturn, Optional

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A signal has stopped the work after a complete step.

    Args:
        number (int): The signal.
        done (str): How much has been done. Defaults to ''.
    """

    def __init__(self, number: int, done: str = '') -> None:
        super().__init__(done)
        self.number = number


class StopRequest:
    """Whether a signal has asked to stop.

    Attributes:
        number (int, optional): The first signal, or None as long as there was none.
        repeat_seconds (float): So long after the first signal, a second Ctrl-C is taken for a repetition: a launcher
            passes on to its processes what the terminal has sent to all of them. Defaults to 0.
    """

    def __init__(self) -> None:
        self.number: Optional[int] = None
        self.repeat_seconds = 0.0
        self._time = 0.0

    def note(self, number: int, _: object) -> None:
        """Signal handler. A second Ctrl-C stops at once; a launcher may repeat SIGTERM, which changes nothing."""
        now = time.monotonic()
        if self.number is None:
            self.number, self._time = number, now
        elif number == signal.SIGINT and now - self._time >= self.repeat_seconds:
            raise KeyboardInterrupt

    def check(self, done: str = '') -> None:
        """Stop here if a signal has asked for it.

        Args:
            done (str): As of :class:`Interrupted`. Defaults to ''.

        Raises:
            Interrupted: It has.
        """
        if self.number is not None:
            raise Interrupted(self.number, done)


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Only note SIGINT and SIGTERM during the block, which calls :meth:`StopRequest.check` after each step.

    Signals that are ignored (``nohup``) stay ignored. Outside of the main thread, which alone may handle signals, the
    request is never set.

    Yields:
        StopRequest: The request.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    earlier = {number: signal.getsignal(number) for number in SIGNALS}
    earlier = {number: handler for number, handler in earlier.items() if handler not in (signal.SIG_IGN, None)}
    for number in earlier:
        signal.signal(number, request.note)
    try:
        yield request
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def exit_interrupted(interrupt: KeyboardInterrupt, kept: Iterable[object] = ()) -> NoReturn:
    """Print one line and end the process with the exit code that shells give to a signal, 130 or 143.

    Args:
        interrupt (KeyboardInterrupt): What stopped the work.
        kept (Iterable): Files and folders that hold what is done. Defaults to none.
    """
    number = getattr(interrupt, 'number', signal.SIGINT)
    parts = [f'interrupted by {signal.Signals(number).name}', str(interrupt)]
    text = ', '.join(map(str, kept))
    print('; '.join(filter(None, [*parts, text and f'kept: {text}'])), file=sys.stderr, flush=True)
    sys.exit(128 + number)
