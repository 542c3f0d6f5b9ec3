"""Reader of WIDER FACE's official annotation files, ``wider_face_{train,val}_bbx_gt.txt``.

An image is a block of lines: its file name below ``images/``, the number of faces, and one line per face::

    0--Parade/0_Parade_marchingband_1_849.jpg
    1
    449 330 122 149 0 0 0 0 0 0

An image without faces has the count 0, in the official files followed by one line of zeros.

Source: Yang et al., *WIDER FACE: A Face Detection Benchmark*, CVPR 2016, and the ``readme.txt`` next to the files.
Needs NumPy only, no framework.
"""
import os
import re
from dataclasses import dataclass
from typing import List, NoReturn, Tuple, Union

import numpy as np

from mmseam.utils.wider_face_names import WIDER_FACE_ATTRIBUTES

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png')
#: Limit of box coordinates in pixels: beyond it, float32 cannot represent every integer.
LARGEST_COORDINATE = 2**24
_COLUMNS = ('x', 'y', 'w', 'h') + WIDER_FACE_ATTRIBUTES
_LONGEST_COUNT = 9  # digits; Python refuses to parse thousands of digits
_LONGEST_QUOTE = 200  # characters of a line in an error message


class WIDERFaceFormatError(ValueError):
    """Error for a malformed annotation file; the message names the file and the line or entry."""


@dataclass(frozen=True)
class WIDERFaceAnnotations:
    """All faces of a split, as flat arrays.

    Args:
        file_names (List[str]): ``event/name.jpg`` of the N images, in the file's order.
        offsets (np.ndarray): Shape (N + 1,), int64. Faces ``offsets[i]:offsets[i + 1]`` belong to image i.
        boxes (np.ndarray): Shape (F, 4), float32: x, y, width, height in pixels, exactly as annotated (11 faces of
            the official val split have no width or no height).
        attributes (np.ndarray): Shape (F, 6), int8, columns :data:`WIDER_FACE_ATTRIBUTES`.
    """
    file_names: List[str]
    offsets: np.ndarray
    boxes: np.ndarray
    attributes: np.ndarray

    def __len__(self) -> int:
        return len(self.file_names)

    def faces(self, index: int) -> slice:
        """Return the slice of ``boxes`` and ``attributes`` with the faces of one image."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))


def read_wider_face_annotations(path: Union[str, os.PathLike]) -> WIDERFaceAnnotations:
    """Read an official WIDER FACE annotation file.

    Windows line endings, trailing blanks, empty lines at the end of the file, and images without faces that lack the
    line of zeros are accepted. Any other deviation from the format is an error.

    Args:
        path (str | os.PathLike): The annotation file.

    Returns:
        WIDERFaceAnnotations: The images and faces.

    Raises:
        FileNotFoundError: The file does not exist.
        WIDERFaceFormatError: The file is malformed; the message names the file and the line, what was expected and
            what was found.
    """
    return _Parser(path).parse()


class _Parser:
    """Single-pass parser; ``self.position`` is the index of the next line to read."""

    def __init__(self, path: Union[str, os.PathLike]) -> None:
        self.path = os.fspath(path)
        self.lines = self._read_lines()
        self.position = 0
        self.file_names: List[str] = []
        self.counts: List[int] = []
        self.rows: List[Tuple[float, ...]] = []
        self.row_lines: List[int] = []

    def parse(self) -> WIDERFaceAnnotations:
        while self.position < len(self.lines):
            self.file_names.append(self._read_file_name())
            self.counts.append(self._read_count())
            if self.counts[-1]:
                self._read_faces(self.counts[-1])
            else:
                self._skip_line_of_zeros()
        if not self.file_names:
            self._fail(0, 'the file name of an image', 'an empty file')
        self._check_unique()
        table = np.array(self.rows, dtype=np.float64).reshape(-1, len(_COLUMNS))
        self._check_numbers(table)
        offsets = np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64)
        return WIDERFaceAnnotations(self.file_names, offsets, table[:, :4].astype(np.float32),
                                    table[:, 4:].astype(np.int8))

    def _read_lines(self) -> List[str]:
        with open(self.path, 'rb') as file:
            content = file.read()
        try:
            text = content.decode('utf-8-sig')
        except UnicodeDecodeError as error:
            line = content.count(b'\n', 0, error.start)
            self._fail(line, 'UTF-8 text', f'the byte 0x{content[error.start]:02x}')
        # Not splitlines(): it also splits at characters that a file name may contain.
        return [line.strip() for line in text.rstrip().split('\n')] if text.strip() else []

    def _read_file_name(self) -> str:
        name = self.lines[self.position]
        if not name.lower().endswith(IMAGE_SUFFIXES):
            hint = '; does the count of the image above agree with its number of faces?' if self.counts else ''
            self._fail(self.position, f'the file name of an image ({", ".join(IMAGE_SUFFIXES)})', _quote(name), hint)
        if not is_safe_name(name):
            self._fail(self.position, 'a file name below the image folder', _quote(name))
        self.position += 1
        return name

    def _read_count(self) -> int:
        expected = f'the number of faces of {self.file_names[-1]}'
        if self.position == len(self.lines):
            self._fail(self.position, expected, 'the end of the file')
        line = self.lines[self.position]
        if not (line.isascii() and line.isdigit() and len(line) <= _LONGEST_COUNT):
            self._fail(self.position, expected, _quote(line))
        self.position += 1
        return int(line)

    def _read_faces(self, count: int) -> None:
        for number in range(1, count + 1):
            if self.position == len(self.lines):
                self._fail(self.position, f'face {number} of {count} of {self.file_names[-1]}', 'the end of the file')
            self.rows.append(self._read_face(number, count))
            self.row_lines.append(self.position)
            self.position += 1

    def _read_face(self, number: int, count: int) -> Tuple[float, ...]:
        line = self.lines[self.position]
        fields = line.split()
        try:
            # float() accepts 1_0 as 10, and digits of other scripts
            row = tuple(map(float, fields)) if line.isascii() and '_' not in line else ()
        except ValueError:
            row = ()
        if len(row) != len(_COLUMNS):
            expected = f'face {number} of {count} of {self.file_names[-1]}: {len(_COLUMNS)} numbers, '
            self._fail(self.position, expected + ' '.join(_COLUMNS), f'{len(fields)} fields, {_quote(line)}')
        return row

    def _skip_line_of_zeros(self) -> None:
        if self.position < len(self.lines):
            fields = self.lines[self.position].split()
            self.position += fields == ['0'] * len(_COLUMNS)

    def _check_unique(self) -> None:
        seen = set()
        for name in self.file_names:
            if name in seen:
                second = [i for i, line in enumerate(self.lines) if line == name][1]
                self._fail(second, 'every image once', f'{name} a second time')
            seen.add(name)

    def _check_numbers(self, table: np.ndarray) -> None:
        attributes = table[:, 4:]
        sensible = (np.abs(table) < LARGEST_COORDINATE).all(axis=1)  # False for NaN
        # The documented values are 0, 1 and 2; other small integers are accepted too.
        whole = ((attributes == np.floor(attributes)) & (attributes >= 0) & (attributes < 128)).all(axis=1)
        bad = np.flatnonzero(~(sensible & whole))
        if len(bad):
            line = self.row_lines[bad[0]]
            expected = (f'finite numbers x y w h below {LARGEST_COORDINATE:,} and whole numbers >= 0 for '
                        f'{" ".join(WIDER_FACE_ATTRIBUTES)}')
            self._fail(line, expected, _quote(self.lines[line]))

    def _fail(self, line: int, expected: str, found: str, hint: str = '') -> NoReturn:
        raise WIDERFaceFormatError(f'{self.path}, line {line + 1}: expected {expected}, found {found}{hint}')


def _quote(line: str) -> str:
    return repr(line) if len(line) <= _LONGEST_QUOTE else f'{line[:_LONGEST_QUOTE]!r}…'


def is_safe_name(name: str) -> bool:
    """Return whether a file name stays inside the folder it is joined to. Drawn images are written under this name."""
    is_absolute = name.startswith(('/', '\\')) or name[1:2] == ':'
    return not is_absolute and '..' not in re.split(r'[/\\]', name) and not re.search(r'[\x00-\x1f\x7f]', name)
