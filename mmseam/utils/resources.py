"""Locate the configs and tools that belong to the package; imports only the standard library."""
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def resource_folder(name: str) -> Path:
    """Return a folder of the installed package or of the checkout.

    Args:
        name (str): 'configs' or 'tools'.

    Returns:
        Path: The folder.
    """
    installed = _PACKAGE / '.mim' / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
