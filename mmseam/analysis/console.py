"""Terminal output."""
from rich.console import Console

_WIDTH_IN_FILES = 120


def wide_console() -> Console:
    """A console that does not break lines at 80 columns, as rich does when the output is a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH_IN_FILES)
