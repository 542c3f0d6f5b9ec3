"""Import optional packages."""
import importlib
from types import ModuleType


def require_package(name: str, command: str = 'pip install "mmseam[deploy]"') -> ModuleType:
    """Import an optional package.

    Args:
        name (str): Name of the module.
        command (str): Command that installs it. Defaults to that of the extra ``deploy``.

    Returns:
        ModuleType: The module.

    Raises:
        ModuleNotFoundError: It is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.split('.')[0]:
            raise
        raise ModuleNotFoundError(f'{error.name} is not installed; it comes with: {command}',
                                  name=error.name) from None
