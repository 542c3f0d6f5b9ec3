"""Find the modules that a config imports (``custom_imports``) in its own folder."""
import sys
from pathlib import Path
from typing import Iterable, List

from mmengine.config import Config


class OwnModuleError(ValueError):
    """A module of ``custom_imports`` is missing or is hidden by another one of the same name."""


def add_own_modules(config: Path) -> List[Path]:
    """Let Python find modules beside a config and in the current folder, after all that is installed.

    They come last, so that no file there replaces a module of Python or of an installed package.

    Args:
        config (Path): Config file.

    Returns:
        list[Path]: The folders.
    """
    folders = [config.resolve().parent, Path.cwd()]
    for folder in folders:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    return folders


def check_own_modules(cfg: Config, folders: Iterable[Path]) -> None:
    """Check that no installed module was imported in place of one of the same name in the folders.

    Args:
        cfg (Config): Config whose ``custom_imports`` are already imported.
        folders (Iterable[Path]): Folders of :func:`add_own_modules`.

    Raises:
        OwnModuleError: A module was imported from elsewhere.
    """
    imports = (cfg.get('custom_imports') or {}).get('imports') or ()
    for name in [imports] if isinstance(imports, str) else imports:
        top = name.split('.')[0]
        found = getattr(sys.modules.get(top), '__file__', None)
        for folder in folders:
            own = folder / f'{top}.py'
            if own.is_file() and found and Path(found).resolve() != own.resolve():
                raise OwnModuleError(f'custom_imports names {top!r}, but Python has imported {found} instead of {own}; '
                                     'rename your file')


def explain_missing_module(error: ImportError, folders: Iterable[Path]) -> str:
    """Return the message for a module of a config that cannot be imported.

    Args:
        error (ImportError): The error of the import.
        folders (Iterable[Path]): Folders of :func:`add_own_modules`.

    Returns:
        str: The message.
    """
    searched = ' and '.join(dict.fromkeys(map(str, folders)))
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:  # MMEngine's own messages do not say why
        cause = cause.__cause__ or cause.__context__
    return (f'custom_imports cannot be imported ({cause}); modules are looked for among the installed packages and in '
            f'{searched}')
