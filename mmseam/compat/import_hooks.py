"""Call functions when other packages are imported.

Importing MMEngine takes seconds, because it imports PyTorch. What must run before or after that import is therefore
registered here, so that ``import mmseam`` itself takes milliseconds (``mmseam --help``).
"""
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, ContextManager, Optional, Sequence, Tuple

__all__ = ['after_import', 'before_import', 'during_import']


@dataclass(eq=True)
class _BeforeImport(MetaPathFinder):
    """Finder that calls a function when one of the modules is looked up, and finds nothing itself."""
    names: Tuple[str, ...]
    function: Callable[[], None]
    is_done: bool = False

    def find_spec(self, name: str, path: Optional[Sequence[str]], target: Any = None) -> Optional[ModuleSpec]:
        if name in self.names and not self.is_done:
            self.function()
            self.is_done = True
        return None


def _do_nothing(_: ModuleType) -> None:
    """Stand for a function to call."""


@dataclass(eq=True)
class _AroundImport(MetaPathFinder):
    """Finder that lets a module be executed in a context, and then calls a function with it."""
    name: str
    function: Callable[[ModuleType], None] = _do_nothing
    context: Callable[[], ContextManager] = nullcontext

    def find_spec(self, name: str, path: Optional[Sequence[str]], target: Any = None) -> Optional[ModuleSpec]:
        if name != self.name:
            return None
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, others), None)
        if spec is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_call(module: ModuleType) -> None:
            with self.context():
                execute(module)
            self.function(module)

        spec.loader.exec_module = execute_and_call
        return spec


def before_import(names: Sequence[str], function: Callable[[], None]) -> None:
    """Call a function before the first of some modules is imported; immediately if one is already imported.

    Args:
        names (Sequence[str]): Full names of the modules.
        function (Callable): Function to call, once. If it raises, the import fails with that exception, and the next
            import calls it again.
    """
    if any(name in sys.modules for name in names):
        function()
    else:
        _insert(_BeforeImport(tuple(names), function))


def after_import(name: str, function: Callable[[ModuleType], None]) -> None:
    """Call a function after a module is imported; immediately if it is already imported.

    Args:
        name (str): Full name of the module.
        function (Callable): Function of the module.
    """
    if name in sys.modules:
        function(sys.modules[name])
    else:
        _insert(_AroundImport(name, function))


def during_import(name: str, context: Callable[[], ContextManager]) -> None:
    """Execute a module in a context when it is imported; nothing happens if it is already imported.

    Args:
        name (str): Full name of the module.
        context (Callable): Returns the context manager.
    """
    if name not in sys.modules:
        _insert(_AroundImport(name, context=context))


def _insert(finder: MetaPathFinder) -> None:
    if finder not in sys.meta_path:
        sys.meta_path.insert(0, finder)
