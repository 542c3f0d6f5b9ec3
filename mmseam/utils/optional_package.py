"""Import optional packages."""
import importlib
from types import ModuleType


def require_package(name: str) -> ModuleType:
    """Import a package of the extra ``deploy``.

    Args:
        name (str): Name of the module.

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
        raise ModuleNotFoundError(f'{error.name} is not installed; it comes with: pip install "mmseam[deploy]"',
                                  name=error.name) from None
