"""Console for tables."""
from rich.console import Console

_WIDTH_IN_FILES = 120


def wide_console() -> Console:
    """Create a console that is 120 columns wide in files and pipes, where rich would wrap lines at 80."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH_IN_FILES)
