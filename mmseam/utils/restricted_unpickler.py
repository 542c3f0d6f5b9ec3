"""Unpickler for untrusted files.

A pickle is a program: it can call whatever its names resolve to, and change the attributes of any object on its stack.
Here it is parsed by ``pickletools`` and interpreted without Python's own unpickler. A name becomes an inert
:class:`~mmseam.utils.pickle_names.Name` from the reader's table, never an imported object; only the functions of that
table are called; and only containers and objects created by this pickle are modified. The memo is a dict, so a huge
memo index costs nothing.
"""
import io
import pickletools
from collections import OrderedDict
from typing import IO, Any, Callable, Dict, List, Mapping, Optional, Tuple

from .pickle_names import PLAIN_NAMES, Name, RestrictedPickleError, UnsafePickleError, plain_key, plain_set

MAX_OPCODES = 3_000_000  # about 150 bytes of memory each at worst; results of 20,000 images, 40 large checkpoints

_DAMAGE = (ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
_LITERALS = frozenset((
    'INT', 'BININT', 'BININT1', 'BININT2', 'LONG', 'LONG1', 'LONG4', 'FLOAT', 'BINFLOAT', 'STRING', 'BINSTRING',
    'SHORT_BINSTRING', 'UNICODE', 'SHORT_BINUNICODE', 'BINUNICODE', 'BINUNICODE8', 'BINBYTES', 'SHORT_BINBYTES',
    'BINBYTES8', 'BYTEARRAY8'))
_CONSTANTS = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False, 'EMPTY_TUPLE': ()}


class _BoundedReader:
    """Limits ``read`` to the length of the file, because ``file.read(n)`` allocates n bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        position = file.tell()
        self._length = file.seek(0, io.SEEK_END) - position
        file.seek(position)
        self._read, self.readline = file.read, file.readline

    def read(self, count: int) -> bytes:
        return self._read(min(count, self._length))


class RestrictedUnpickler:
    """Interpreter of one pickle.

    Args:
        file (IO[bytes]): File at the start of the pickle; afterwards at its end.
    """

    names: Mapping[Tuple[str, str], Any] = PLAIN_NAMES

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file if isinstance(file, io.BytesIO) else _BoundedReader(file)
        self._stack: List[Any] = []
        self._marked: List[List[Any]] = []
        self._memo: Dict[int, Any] = {}
        self._created: Dict[int, Tuple[Any, Callable]] = {}  # objects that have a state, by id

    def load(self) -> Any:
        """Interpret the pickle.

        Returns:
            Any: The content: builtin containers and values, and results of the functions in the table.

        Raises:
            UnsafePickleError: It refers to, calls or modifies something that the table does not allow.
            RestrictedPickleError: It is damaged, too large or has another format.
        """
        try:
            return self._run()
        except RestrictedPickleError:
            raise
        except _DAMAGE as error:
            raise RestrictedPickleError(f'damaged ({type(error).__name__}: {str(error)[:200]})') from error

    def find_class(self, module: str, name: str) -> Any:
        """Look up a name in the table, without importing modules or resolving attributes.

        Args:
            module (str): Module of the class or function.
            name (str): Its name.

        Returns:
            Any: The entry of the table; a :class:`Name` if it can be called.

        Raises:
            UnsafePickleError: The name is not in the table.
        """
        try:
            return self.names[module, name]
        except KeyError:
            raise UnsafePickleError(f'the file refers to code, {module}.{name}, and is refused. If you trust it, load '
                                    'it elsewhere and save it again without that object') from None

    def persistent_load(self, pid: Any) -> Any:
        """Resolve a reference to something outside the pickle.

        Args:
            pid (Any): The reference.

        Raises:
            RestrictedPickleError: Always, unless overridden.
        """
        raise RestrictedPickleError('it refers to something outside the pickle')

    def _run(self) -> Any:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(self._file)):
            if count == MAX_OPCODES:
                raise RestrictedPickleError(f'more than {MAX_OPCODES} instructions, more than any such file needs')
            if opcode.name in _LITERALS:
                self._stack.append(argument)
            elif opcode.name in _CONSTANTS:
                self._stack.append(_CONSTANTS[opcode.name])
            elif opcode.name in _ACTIONS:
                _ACTIONS[opcode.name](self, argument)
            else:
                raise RestrictedPickleError(f'the instruction {opcode.name}, which files of this kind never have')
        return self._stack.pop()

    def _mark(self, _: Any) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _pop_mark(self, _: Any = None) -> List[Any]:
        items, self._stack = self._stack, self._marked.pop()
        return items

    def _pop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_mark()

    def _put(self, index: Optional[int]) -> None:
        self._memo[len(self._memo) if index is None else index] = self._stack[-1]

    def _get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    def _duplicate(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _take(self, count: int) -> List[Any]:
        items = self._stack[-count:]
        if len(items) != count:
            raise RestrictedPickleError('damaged (its stack is empty)')
        del self._stack[-count:]
        return items

    def _extend(self, items: List[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise UnsafePickleError(f'it appends to a {type(self._stack[-1]).__name__}')
        self._stack[-1].extend(items)

    def _set_items(self, items: List[Any]) -> None:
        if type(self._stack[-1]) not in (dict, OrderedDict):
            raise UnsafePickleError(f'it sets items of a {type(self._stack[-1]).__name__}')
        self._stack[-1].update(zip(map(plain_key, items[::2]), items[1::2]))

    def _add_items(self, _: Any) -> None:
        items = self._pop_mark()
        if type(self._stack[-1]) is not set:
            raise UnsafePickleError(f'it adds elements to a {type(self._stack[-1]).__name__}')
        self._stack[-1].update(map(plain_key, items))

    def _make_dict(self, _: Any) -> None:
        items = self._pop_mark()
        self._stack.append({})
        self._set_items(items)

    def _global(self, name: str) -> None:
        self._stack.append(self.find_class(*name.split(' ', 1)))

    def _stack_global(self, _: Any) -> None:
        module, name = self._take(2)
        if type(module) is not str or type(name) is not str:
            raise RestrictedPickleError('damaged (a name that is not a string)')
        self._stack.append(self.find_class(module, name))

    def _call(self, name: Any, arguments: Any) -> None:
        if type(name) is not Name or type(arguments) is not tuple:
            raise UnsafePickleError(f'it calls a {type(name).__name__}')
        if name.call is None:
            raise UnsafePickleError(f'it calls {name.source}, which files of this kind never do')
        made = name.call(*arguments)
        if name.build is not None:
            self._created[id(made)] = made, name.build  # kept, so that no other object gets its id
        self._stack.append(made)

    def _call_with_keywords(self, _: Any) -> None:
        name, arguments, keywords = self._take(3)
        if keywords != {}:
            raise RestrictedPickleError('it calls with keyword arguments, which files of this kind never do')
        self._call(name, arguments)

    def _call_marked(self, _: Any) -> None:
        name, *arguments = self._pop_mark()
        self._call(name, tuple(arguments))

    def _call_named(self, name: str) -> None:
        arguments = tuple(self._pop_mark())
        self._call(self.find_class(*name.split(' ', 1)), arguments)

    def _build(self, _: Any) -> None:
        state, = self._take(1)
        target, build = self._created.get(id(self._stack[-1]), (None, None))
        if build is None or target is not self._stack[-1]:
            raise UnsafePickleError(f'it modifies a {type(self._stack[-1]).__name__} that it has not created')
        build(target, state)


_ACTIONS: Dict[str, Callable[[RestrictedUnpickler, Any], None]] = {
    'PROTO': lambda self, _: None,
    'FRAME': lambda self, _: None,
    'STOP': lambda self, _: None,
    'MARK': RestrictedUnpickler._mark,
    'POP': RestrictedUnpickler._pop,
    'POP_MARK': RestrictedUnpickler._pop_mark,
    'DUP': RestrictedUnpickler._duplicate,
    **dict.fromkeys(('PUT', 'BINPUT', 'LONG_BINPUT', 'MEMOIZE'), RestrictedUnpickler._put),
    **dict.fromkeys(('GET', 'BINGET', 'LONG_BINGET'), RestrictedUnpickler._get),
    'EMPTY_LIST': lambda self, _: self._push([]),
    'EMPTY_DICT': lambda self, _: self._push({}),
    'EMPTY_SET': lambda self, _: self._push(set()),
    'LIST': lambda self, _: self._push(self._pop_mark()),
    'TUPLE': lambda self, _: self._push(tuple(self._pop_mark())),
    'TUPLE1': lambda self, _: self._push(tuple(self._take(1))),
    'TUPLE2': lambda self, _: self._push(tuple(self._take(2))),
    'TUPLE3': lambda self, _: self._push(tuple(self._take(3))),
    'DICT': RestrictedUnpickler._make_dict,
    'FROZENSET': lambda self, _: self._push(plain_set(frozenset, self._pop_mark())),
    'APPEND': lambda self, _: self._extend(self._take(1)),
    'APPENDS': lambda self, _: self._extend(self._pop_mark()),
    'SETITEM': lambda self, _: self._set_items(self._take(2)),
    'SETITEMS': lambda self, _: self._set_items(self._pop_mark()),
    'ADDITEMS': RestrictedUnpickler._add_items,
    'GLOBAL': RestrictedUnpickler._global,
    'STACK_GLOBAL': RestrictedUnpickler._stack_global,
    'REDUCE': lambda self, _: self._call(*self._take(2)),
    'NEWOBJ': lambda self, _: self._call(*self._take(2)),
    'NEWOBJ_EX': RestrictedUnpickler._call_with_keywords,
    'OBJ': RestrictedUnpickler._call_marked,
    'INST': RestrictedUnpickler._call_named,
    'BUILD': RestrictedUnpickler._build,
    'BINPERSID': lambda self, _: self._push(self.persistent_load(*self._take(1))),
}
