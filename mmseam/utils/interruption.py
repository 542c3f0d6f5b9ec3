"""Stop gracefully on SIGINT (Ctrl-C) and SIGTERM (``kill``, Slurm, containers)."""
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import Iterable, Iterator, NoReturn, Optional

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """Raised when a signal stops the work after a complete step.

    Args:
        number (int): The signal.
        done (str): How much has been done. Defaults to ''.
    """

    def __init__(self, number: int, done: str = '') -> None:
        super().__init__(done)
        self.number = number


class StopRequest:
    """Stop request, set by a signal.

    Attributes:
        number (int, optional): The first signal, None before it.
        repeat_seconds (float): Ignore a second Ctrl-C for this time after the first signal: launchers forward a signal
            that the terminal has already sent to all processes. Defaults to 0.
    """

    def __init__(self) -> None:
        self.number: Optional[int] = None
        self.repeat_seconds = 0.0
        self._time = 0.0

    def note(self, number: int, _: object) -> None:
        """Handle a signal; a second Ctrl-C stops immediately, a repeated SIGTERM is ignored."""
        now = time.monotonic()
        if self.number is None:
            self.number, self._time = number, now
        elif number == signal.SIGINT and now - self._time >= self.repeat_seconds:
            raise KeyboardInterrupt

    def check(self, done: str = '') -> None:
        """Raise :class:`Interrupted` if a signal was received.

        Args:
            done (str): See :class:`Interrupted`. Defaults to ''.

        Raises:
            Interrupted: A signal was received.
        """
        if self.number is not None:
            raise Interrupted(self.number, done)


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Record SIGINT and SIGTERM during the block, which calls :meth:`StopRequest.check` after each step.

    Ignored signals (``nohup``) stay ignored. Outside the main thread, which is the only one that can handle signals,
    the request is never set.

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
    """Print one line and exit with the shell's exit code of the signal, 130 or 143.

    Args:
        interrupt (KeyboardInterrupt): The interrupt.
        kept (Iterable): Files and folders with the results so far. Defaults to none.
    """
    number = getattr(interrupt, 'number', signal.SIGINT)
    parts = [f'interrupted by {signal.Signals(number).name}', str(interrupt)]
    text = ', '.join(map(str, kept))
    print('; '.join(filter(None, [*parts, text and f'kept: {text}'])), file=sys.stderr, flush=True)
    sys.exit(128 + number)
