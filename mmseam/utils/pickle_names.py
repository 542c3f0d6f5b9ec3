"""Table of the names that a pickle may refer to, with the function that replaces each of them."""
from collections import OrderedDict
from typing import Any, Callable, Dict, Mapping, Optional, Tuple


class RestrictedPickleError(ValueError):
    """A pickle that is damaged, too large, or contains unexpected objects."""


class UnsafePickleError(RestrictedPickleError):
    """A pickle that refers to code outside the table of its file format."""


class Name:
    """Inert replacement for a class or function that a pickle refers to.

    Args:
        source (str): Module and name.
        call (Callable, optional): Function to call instead. Defaults to None: calls are refused.
        build (Callable, optional): Sets the pickled state of an object returned by ``call``. Defaults to None: its
            objects have no state.
    """

    __slots__ = ('source', 'call', 'build')

    def __init__(self, source: str, call: Optional[Callable] = None, build: Optional[Callable] = None) -> None:
        self.source, self.call, self.build = source, call, build

    def __repr__(self) -> str:
        return f'<{self.source}>'


def name_table(entries: Mapping[str, tuple]) -> Dict[Tuple[str, str], Name]:
    """Build a table of names.

    Args:
        entries (Mapping[str, tuple]): Arguments ``call`` and ``build`` of :class:`Name`, by ``module.name``.

    Returns:
        dict: :class:`Name` by module and name.
    """
    return {tuple(source.rsplit('.', 1)): Name(source, *arguments) for source, arguments in entries.items()}


def _encode_latin1(text: str, encoding: str = 'latin1') -> bytes:
    # Protocol 2 stores bytes as text; any other encoding would import a codec chosen by the pickle.
    if encoding != 'latin1':
        raise UnsafePickleError(f'it uses the codec {encoding!r}')
    return text.encode('latin1')


def plain_set(kind: type, items: list = ()) -> Any:
    """Make a set or frozenset of a list of plain keys."""
    if type(items) not in (list, tuple):
        raise RestrictedPickleError(f'a {kind.__name__} that is not made from a list')
    return kind(map(plain_key, items))


def plain_key(key: Any) -> Any:
    """Allow only keys that are fast to hash: nested tuples take 2^depth steps, and huge integers may all collide."""
    if type(key) not in (str, int, float, bool, bytes, type(None), Name) or type(key) is int and abs(key) >= 1 << 60:
        raise RestrictedPickleError(f'a dictionary key or set element of type {type(key).__name__}')
    return key


PLAIN_NAMES = name_table({
    'collections.OrderedDict': (lambda: OrderedDict(), lambda *_: None),  # torch adds metadata as an attribute
    '_codecs.encode': (_encode_latin1, ),
    **{f'{module}.bytes': (lambda: b'', ) for module in ('builtins', '__builtin__')},  # empty arrays in protocol 2
    **{f'{module}.{kind.__name__}': (lambda items=(), kind=kind: plain_set(kind, items), )
       for module in ('builtins', '__builtin__') for kind in (set, frozenset)},
})
