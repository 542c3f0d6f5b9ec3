"""Reader of the MATLAB 5 files of WIDER FACE's evaluation tools: numbers, text, and cell arrays of them.

SciPy's reader trusts its input: damaged files crash the process or allocate gigabytes. This one checks every length
before using it. Format: MathWorks, *MAT-File Format*, level 5.
"""
import math
import struct
import zlib
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple, Union

import numpy as np

#: Maximum size of a decompressed file in bytes; the official ones take 2.7 MB each.
MAX_BYTES = 2**24

_HEADER_BYTES = 128
_BYTE_ORDERS = {b'\0\1IM': '<', b'\1\0MI': '>'}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _TEXT, _NUMBERS = 1, 4, range(6, 16)
_IS_COMPLEX = 0x0800
_NUMBER_TYPES = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8', 12: 'i8', 13: 'u8'}
_ENCODINGS = {1: 'utf-8', 2: 'utf-8', 16: 'utf-8', 4: 'utf-16', 17: 'utf-16'}
_MAX_DEPTH = 4  # of nested cells; WIDER FACE nests images in events


class GroundTruthFormatError(ValueError):
    """Error for a ground truth file that is damaged or not from the official tools; names the file and position."""


class _Element(NamedTuple):
    """Type of a data element, start and end of its content, and start of the next element."""
    kind: int
    start: int
    stop: int
    following: int


class _Array(NamedTuple):
    """Header of an array, and start and end of its content."""
    kind: int
    shape: Tuple[int, ...]
    name: str
    start: int
    stop: int


def read_mat_file(path: Union[str, Path], names: Sequence[str]) -> Dict[str, Any]:
    """Read variables of a MATLAB 5 file.

    Args:
        path (str or Path): The file.
        names (Sequence[str]): Names of the variables to read; others may have any type.

    Returns:
        dict[str, Any]: Values by name: an array, a str, or for a cell array the list of its cells in column order.

    Raises:
        GroundTruthFormatError: The file is not a MATLAB 5 file, is damaged or too large, or lacks a variable.
    """
    with open(path, 'rb') as file:
        content = file.read(MAX_BYTES + 1)
    try:
        variables = dict(_read_variables(content, names))
    except (GroundTruthFormatError, UnicodeDecodeError) as error:
        raise GroundTruthFormatError(f'{path}: {error}; download the WIDER FACE evaluation tools again') from error
    missing = [name for name in names if name not in variables]
    if missing:
        raise GroundTruthFormatError(f'{path}: it has no {missing[0]!r}; is it from the WIDER FACE evaluation tools?')
    return variables


def _read_variables(content: bytes, names: Sequence[str]) -> Iterator[Tuple[str, Any]]:
    order = _BYTE_ORDERS.get(content[_HEADER_BYTES - 4:_HEADER_BYTES])
    if order is None:
        raise GroundTruthFormatError('not a MATLAB 5 file (in MATLAB, use save -v7)')
    position, budget = _HEADER_BYTES, MAX_BYTES - len(content)
    while position < len(content):
        parser = _Parser(content, order)
        element = parser.element(position, len(content))
        # Compressed variables are not padded
        position = element.stop if element.kind == _COMPRESSED else element.following
        if element.kind == _COMPRESSED:
            parser = _Parser(_inflate(content[element.start:element.stop], budget), order)
            element = parser.element(0, len(parser.content))
            budget -= len(parser.content)
        array = parser.array(element)
        if array.name in names:
            yield array.name, parser.value(array)


def _inflate(content: bytes, budget: int) -> bytes:
    try:
        inflated = zlib.decompressobj().decompress(content, max(budget, 0) + 1)
    except zlib.error as error:
        raise GroundTruthFormatError(f'damaged ({error})') from error
    if len(inflated) > budget:
        raise GroundTruthFormatError(f'more than {MAX_BYTES:,} bytes')
    return inflated


class _Parser:
    """Reads data elements of a buffer; every length is checked against the element that surrounds it.

    Args:
        content (bytes): The buffer.
        order (str): Its byte order, '<' or '>'.
    """

    def __init__(self, content: bytes, order: str) -> None:
        self.content = content
        self._order = order
        self._tag = struct.Struct(f'{order}II')

    def element(self, position: int, end: int) -> _Element:
        """Parse the element at ``position`` inside one that ends at ``end``."""
        if position + 8 > end:
            raise GroundTruthFormatError(f'damaged (it ends at byte {end:,})')
        kind, size = self._tag.unpack_from(self.content, position)
        if kind >> 16:  # small element: up to four bytes of data are stored in the tag itself
            kind, size, start, following = kind & 0xFFFF, kind >> 16, position + 4, position + 8
        else:
            start = position + 8
            following = start + size + -size % 8
        if start + size > end or start + size > following:
            raise GroundTruthFormatError(f'damaged (the element at byte {position:,} is longer than its parent)')
        return _Element(kind, start, start + size, following)

    def array(self, element: _Element) -> _Array:
        """Parse the header of the array in an element."""
        if element.kind != _MATRIX:
            raise GroundTruthFormatError(f'damaged (an element of type {element.kind} where an array is expected)')
        if element.start == element.stop:
            return _Array(_NUMBERS[0], (0, 0), '', element.start, element.stop)
        flags = self.element(element.start, element.stop)
        shape = self.element(flags.following, element.stop)
        name = self.element(shape.following, element.stop)
        if flags.stop - flags.start != 8 or shape.stop - shape.start != 8:
            raise GroundTruthFormatError('damaged (an array without two dimensions)')
        kind, _ = self._tag.unpack_from(self.content, flags.start)
        sides = self._tag.unpack_from(self.content, shape.start)
        text = self._text(name) if name.start < name.stop else ''
        return _Array(kind & 0xFF if not kind & _IS_COMPLEX else 0, sides, text, name.following, element.stop)

    def value(self, array: _Array, depth: int = 0) -> Any:
        """Read the content of an array."""
        if array.kind == _CELL:
            return self._cells(array, depth)
        if array.start == array.stop and array.kind in _NUMBERS:
            numbers = np.empty(0)
        elif array.kind in _NUMBERS:
            numbers = self._numbers(self.element(array.start, array.stop))
        elif array.kind == _TEXT:
            return self._text(self.element(array.start, array.stop))
        else:
            raise GroundTruthFormatError(f'an array of class {array.kind}, neither numbers nor text nor cells')
        if math.prod(array.shape) != numbers.size:
            raise GroundTruthFormatError(f'damaged ({numbers.size} numbers for the shape {array.shape})')
        return numbers.reshape(array.shape, order='F')

    def _cells(self, array: _Array, depth: int) -> List[Any]:
        count = math.prod(array.shape)
        if depth == _MAX_DEPTH or count > (array.stop - array.start) // 8:
            raise GroundTruthFormatError(f'damaged ({count} cells, {depth} deep, in {array.stop - array.start} bytes)')
        cells, position = [], array.start
        for _ in range(count):
            element = self.element(position, array.stop)
            cells.append(self.value(self.array(element), depth + 1))
            position = element.following
        return cells

    def _numbers(self, element: _Element) -> np.ndarray:
        kind = _NUMBER_TYPES.get(element.kind)
        if kind is None or (element.stop - element.start) % int(kind[1]):
            raise GroundTruthFormatError(f'damaged (numbers of type {element.kind})')
        return np.frombuffer(self.content[element.start:element.stop], self._order + kind)

    def _text(self, element: _Element) -> str:
        encoding = _ENCODINGS.get(element.kind)
        if encoding is None:
            raise GroundTruthFormatError(f'damaged (text of type {element.kind})')
        if encoding == 'utf-16':
            encoding += '-le' if self._order == '<' else '-be'
        return self.content[element.start:element.stop].decode(encoding)
