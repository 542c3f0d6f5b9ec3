"""Reader of WIDER FACE result files, one per image: name, count, and rows of left, top, width, height, score."""
import lzma
import os
import stat
import struct
import tarfile
import warnings
import zipfile
import zlib
from itertools import chain
from pathlib import Path
from typing import Dict, Iterator, List, Tuple, Union

import numpy as np

from .ground_truth import LARGEST_NUMBER, image_key

_LONGEST_COUNT = 9  # digits; Python refuses to parse thousands of digits
_LONGEST_QUOTE = 200  # characters of a line in an error message
# The largest published results have 7.8 million boxes in 350 MB, and about ten thousand boxes in an image.
_MAX_BOXES, _MAX_TOTAL, _MAX_MEMBER = 16_000_000, 1 << 30, 8 << 20
# Raised for archives that are damaged, encrypted, or compressed with an unknown method
_ARCHIVE_ERRORS = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, struct.error, EOFError, OSError,
                   ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)


class ResultsFormatError(ValueError):
    """Error for malformed detections; the message names the file and the position in it."""


def read_result_folder(path: Union[str, Path]) -> Dict[str, np.ndarray]:
    """Read ``event/image.txt`` files from a folder or an archive, without unpacking it to disk.

    Trailing blanks, CRLF and blank lines at the end are accepted. As in the official code, the path of a file
    determines its image; there is a warning if its first line names another image. Hidden files, files that do not end
    in ``.txt``, and ``.txt`` files that are not in a folder (README files) are skipped.

    Args:
        path (str or Path): Folder, ``.tar``, ``.tar.*`` or ``.zip``, with event folders at any depth.

    Returns:
        dict[str, np.ndarray]: Detections by image key, shape (n, 5), float64.

    Raises:
        ResultsFormatError: There are no result files, two files belong to the same image, or a file is malformed; the
            message names the file and the line.
    """
    path = Path(path)
    detections, misnamed, boxes = {}, [], 0
    for name, content in _contents(path):
        key = image_key(name[:-len('.txt')])
        where = f'{path}/{name}'
        if key in detections:
            raise ResultsFormatError(f'{where}: a second result for image {key}; does {path} contain the results of '
                                     'two methods?')
        title, detections[key] = parse_result_file(content, where)
        boxes += len(detections[key])
        if boxes > _MAX_BOXES:
            raise ResultsFormatError(f'{where}: more than {_MAX_BOXES:,} boxes so far; raise the score threshold')
        if image_key(title).rpartition('/')[2] != key.rpartition('/')[2]:
            misnamed.append(f'{where} says {title[:_LONGEST_QUOTE]!r}')
    if not detections:
        raise ResultsFormatError(f'{path} contains no result file: expected event/image.txt')
    if misnamed:
        warnings.warn(f'the first line of {len(misnamed)} result files names another image than the file name, which '
                      f'is used: {misnamed[0]}', stacklevel=2)
    return detections


def parse_result_file(content: bytes, where: str) -> Tuple[str, np.ndarray]:
    """Parse one result file.

    Args:
        content (bytes): Content of the file.
        where (str): Name of the file, for error messages.

    Returns:
        tuple[str, np.ndarray]: The first line and rows of shape (n, 5), float64.

    Raises:
        ResultsFormatError: The count disagrees with the rows, or a row is not five finite numbers.
    """
    lines = content.splitlines()
    if len(lines) < 2:
        raise ResultsFormatError(f'{where}, line {len(lines) + 1}: the file ends; expected the name of the image on '
                                 'line 1, the number of detections on line 2')
    rows = [row for row in map(bytes.split, lines[2:]) if row]
    count = lines[1].strip()
    if not count.isdigit() or len(count) > _LONGEST_COUNT or int(count) != len(rows):
        raise ResultsFormatError(f'{where}, line 2: says {_quote(count)} detections, but {len(rows)} rows follow')
    try:
        # float() accepts 1_0 as 10
        if not set(map(len, rows)) <= {5} or b'_' in b' '.join(lines[2:]):
            raise ValueError
        values = np.fromiter(map(float, chain.from_iterable(rows)), np.float64, 5 * len(rows)).reshape(-1, 5)
    except ValueError:
        raise _bad_row(lines, where) from None
    if not (np.abs(values) < LARGEST_NUMBER).all():
        raise _bad_row(lines, where)
    return _text(lines[0]).lstrip('\ufeff'), values


def _text(line: bytes) -> str:
    return line.decode('utf-8', 'replace').strip()


def _quote(line: bytes) -> str:
    text = _text(line)
    return repr(text) if len(text) <= _LONGEST_QUOTE else f'{text[:_LONGEST_QUOTE]!r}…'


def _bad_row(lines: List[bytes], where: str) -> ResultsFormatError:
    """Build the error for the first row that is not five finite numbers."""
    number = next(i for i, line in enumerate(lines[2:], start=3) if line.strip() and not _is_row(line))
    return ResultsFormatError(f'{where}, line {number}: expected five finite numbers (left top width height score), '
                              f'not {_quote(lines[number - 1])}')


def _is_row(line: bytes) -> bool:
    try:
        values = [float(value) for value in line.split()]
    except ValueError:
        return False
    return len(values) == 5 and b'_' not in line and bool((np.abs(values) < LARGEST_NUMBER).all())


def _contents(path: Path) -> Iterator[Tuple[str, bytes]]:
    """Yield the relative name and content of every result file."""
    if path.is_dir():
        yield from _folder_contents(path)
        return
    try:
        yield from _zip_contents(path) if zipfile.is_zipfile(path) else _tar_contents(path)
    except ResultsFormatError:
        raise
    except _ARCHIVE_ERRORS as error:
        raise ResultsFormatError(f'{path} is neither a folder nor an archive (.tar, .tar.gz, .tar.xz, .tar.bz2, .zip) '
                                 f'that can be read: {error}') from error


def _folder_contents(path: Path) -> Iterator[Tuple[str, bytes]]:
    for folder, _, files in os.walk(path):  # several times faster than Path.rglob
        prefix = Path(folder).relative_to(path)
        for file in files:
            name = (prefix / file).as_posix()
            if _is_result(name):
                with open(os.path.join(folder, file), 'rb') as content:
                    yield name, content.read()


def _zip_contents(path: Path) -> Iterator[Tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        total = 0
        for info in archive.infolist():
            if not _is_result(info.filename):
                continue
            total += info.file_size
            problem = 'is encrypted; unpack the archive' if info.flag_bits & 1 else _problem(
                info.filename, info.file_size, total, stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG))
            if problem:
                raise ResultsFormatError(f'{path}/{info.filename} {problem}')
            yield info.filename, archive.read(info)


def _tar_contents(path: Path) -> Iterator[Tuple[str, bytes]]:
    with tarfile.open(path, 'r|*') as archive:
        total = 0
        for member in archive:
            total += member.size  # what is skipped is decompressed too
            name = member.name[2:] if member.name.startswith('./') else member.name
            is_result = _is_result(name) and not member.isdir()
            problem = _problem(name, member.size if is_result else 0, total, member.isfile() or not is_result)
            if problem:
                raise ResultsFormatError(f'{path}/{name} {problem}')
            content = archive.extractfile(member) if is_result else None
            if content is not None:
                yield name, content.read()


def _problem(name: str, size: int, total: int, is_file: bool) -> str:
    """Return what is wrong with a member of an archive, or an empty string."""
    if not is_file:
        return 'is a link or a device, not a file'
    if name.startswith(('/', '\\')) or '..' in name.split('/'):
        return 'lies outside the archive; pack the folder again with relative names'
    if size > _MAX_MEMBER:
        return f'has {size:,} bytes; the limit for the results of one image is {_MAX_MEMBER:,}'
    return f'exceeds the limit of {_MAX_TOTAL:,} bytes per archive ({total:,} so far)' if total > _MAX_TOTAL else ''


def _is_result(name: str) -> bool:
    parts = name.split('/')
    hidden = any(part.startswith(('.', '__MACOSX')) and part != '..' for part in parts)
    return len(parts) > 1 and not hidden and name.endswith('.txt')
