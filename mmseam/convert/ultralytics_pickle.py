"""Unpickle Ultralytics checkpoints; model classes become stubs that only keep their state."""
from pathlib import PurePath
from typing import Any

from mmseam.utils.pickle_names import Name, UnsafePickleError, name_table
from mmseam.utils.pickled_arrays import TensorUnpickler

STUB_MODULES = ('ultralytics.', 'torch.nn.modules.')


class Stub:
    """Inert placeholder for an object of a foreign class.

    Args:
        source (str): Full name of the class.

    Attributes:
        state (dict): Pickled ``__dict__`` of the object.
    """

    __slots__ = ('source', 'state')

    def __init__(self, source: str) -> None:
        self.source, self.state = source, {}

    def set_state(self, state: Any) -> None:
        """Keep the state if it is a dict; classes with a custom state get an empty one."""
        self.state = state if isinstance(state, dict) else {}

    @property
    def class_name(self) -> str:
        """str: Name of the foreign class without its module."""
        return self.source.rpartition('.')[2]


def _stub_name(source: str) -> Name:
    return Name(source, lambda *_: Stub(source), Stub.set_state)


def _is_stub(source: str) -> bool:
    return source.startswith(STUB_MODULES)


def _stub_attribute(owner: Any, name: Any) -> Name:
    """Replace ``getattr``, which checkpoints use to store a method such as ``Detect.forward``."""
    if type(owner) is not Name or not _is_stub(owner.source) or type(name) is not str:
        raise UnsafePickleError('it calls builtins.getattr on something that is not a class of the model')
    return Name(f'{owner.source}.{name}')


def _path_text(*parts: Any) -> str:
    return str(PurePath(*(part for part in parts if type(part) is str)))


class UltralyticsUnpickler(TensorUnpickler):
    """Interprets the pickle of a checkpoint into builtin containers, stubs and tensor records."""

    names = {
        **TensorUnpickler.names,
        **name_table({
            **{f'{module}.{kind}': () for module in ('builtins', '__builtin__')
               for kind in ('list', 'dict', 'tuple', 'int', 'float', 'bool', 'str')},
            **{f'{module}.getattr': (_stub_attribute, ) for module in ('builtins', '__builtin__')},
            **{f'{module}.{name}': (_path_text, ) for module in ('pathlib', 'pathlib._local')
               for name in ('Path', 'PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath')},
        }),
    }

    def find_class(self, module: str, name: str) -> Any:
        """Look up a name; classes of Ultralytics and layers of PyTorch become stubs."""
        if (module, name) in self.names or not _is_stub(f'{module}.'):
            return super().find_class(module, name)
        return _stub_name(f'{module}.{name}')
