"""Images of a dataset in Ultralytics' layout, and its label files."""
import os
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple

from .data_yaml import YOLODataError, YOLODataFile, iterate_list

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
_TOLERANCE = 0.01  # how far a rounded coordinate may be outside of the image, as a fraction of its side
_LONGEST_LABEL = 9  # digits
_LONGEST_QUOTE = 60


class YOLOObject(NamedTuple):
    """An object of a label file.

    Args:
        label (int): Index of the class.
        box (Tuple[float, ...]): x1, y1, x2, y2 as fractions of width and height, inside the image.
        polygon (Tuple[float, ...]): x and y of each point, likewise; empty for an object without outline.
    """
    label: int
    box: Tuple[float, ...]
    polygon: Tuple[float, ...]


def find_images(data: YOLODataFile, split: str) -> List[Path]:
    """List the images of a split.

    Args:
        data (YOLODataFile): The data file.
        split (str): 'train' or 'val'.

    Returns:
        List[Path]: Absolute paths; sorted, if they come from a folder.

    Raises:
        YOLODataError: There are none, or an image of a list does not exist.
    """
    images: List[Path] = []
    for source in data.splits[split]:
        images += _walk(source) if source.is_dir() else _read_list(source, data.root)
    if not images:
        raise YOLODataError(f'{data.file}: {split} has no images ({" ".join(IMAGE_SUFFIXES)}) in '
                            f'{", ".join(map(str, data.splits[split]))}')
    return list(dict.fromkeys(images))


def label_file(image: Path) -> Path:
    """Return the label file of an image: ``…/labels/a.txt`` for ``…/images/a.jpg``, or else the file beside it."""
    parts = list(image.parts)
    folders = [index for index, part in enumerate(parts[:-1]) if part == 'images']
    if folders:
        parts[folders[-1]] = 'labels'
    return Path(*parts).with_suffix('.txt')


def read_labels(path: Path, data: YOLODataFile) -> List[YOLOObject]:
    """Read a label file.

    A line has the class and center x, center y, width and height of a box (followed by keypoints, which are not read,
    if the data file has ``kpt_shape``) or x and y of at least three points of an outline, all as fractions of the
    image. Lines that occur twice and boxes without width or height are left out.

    Args:
        path (Path): The label file.
        data (YOLODataFile): The data file.

    Returns:
        List[YOLOObject]: The objects.

    Raises:
        YOLODataError: A line is malformed; the message names the file and the line.
    """
    lines = {line: number for number, line in reversed(list(iterate_list(path)))}
    objects = [_read_line(line, data, f'{path}, line {number}') for line, number in
               sorted(lines.items(), key=lambda item: item[1])]
    return [found for found in objects if found.box[2] > found.box[0] and found.box[3] > found.box[1]]


def _read_line(line: str, data: YOLODataFile, where: str) -> YOLOObject:
    first, *rest = line.split()
    label = _read_class(first, data, where)
    if data.has_keypoints:
        rest = rest[:4]
    is_outline = len(rest) >= 6 and len(rest) % 2 == 0
    if len(rest) != 4 and not is_outline:
        raise YOLODataError(f'{where}: expected a class and four numbers of a box, or the points of an outline, found '
                            f'{len(rest) + 1} values')
    # float() accepts 1_0 as 10, and digits of other scripts
    try:
        values = [float(text) for text in rest] if line.isascii() and '_' not in line else None
    except ValueError:
        values = None
    if values is None:
        raise YOLODataError(f'{where}: expected numbers, found {_quote(line)}')
    if not all(-_TOLERANCE <= value <= 1 + _TOLERANCE for value in values):
        raise YOLODataError(f'{where}: coordinates must be fractions of width and height, from 0 to 1, found '
                            f'{_quote(line)}')
    if is_outline:
        polygon = tuple(_clip(value) for value in values)
        x, y = polygon[::2], polygon[1::2]
        return YOLOObject(label, (min(x), min(y), max(x), max(y)), polygon)
    x, y, width, height = values
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return YOLOObject(label, tuple(_clip(value) for value in corners), ())


def _read_class(text: str, data: YOLODataFile, where: str) -> int:
    number = text[:-2] if text.endswith('.0') else text
    if not (number.isascii() and number.isdigit() and len(number) <= _LONGEST_LABEL):
        raise YOLODataError(f'{where}: the class must be a whole number, found {_quote(text)}')
    if int(number) >= len(data.names):
        raise YOLODataError(f'{where}: class {int(number)}, but {data.file} names {len(data.names)} '
                            f'{"class" if len(data.names) == 1 else "classes"}, from 0 to {len(data.names) - 1}')
    return int(number)


def _clip(value: float) -> float:
    return min(max(value, 0.), 1.)


def _quote(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_QUOTE else f'{text[:_LONGEST_QUOTE]}…')


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the images below a folder, also behind links, each folder once."""
    seen, found = set(), []
    for current, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(current)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        found += [Path(current, name) for name in files if name.lower().endswith(IMAGE_SUFFIXES)]
    yield from sorted(path for path in found if path.is_file())


def _read_list(path: Path, root: Path) -> Iterator[Path]:
    """Yield the images of a text file; relative ones are below the data folder, or beside the file."""
    for number, line in iterate_list(path):
        if '\0' in line or not line.lower().endswith(IMAGE_SUFFIXES):
            raise YOLODataError(f'{path}, line {number}: expected an image ({" ".join(IMAGE_SUFFIXES)}), found '
                                f'{_quote(line)}')
        places = (path.parent, root) if line.startswith('./') else (root, path.parent)
        found = next((place / line for place in places if os.path.isfile(place / line)), None)
        if found is None:
            raise YOLODataError(f'{path}, line {number}: there is no image {_quote(line)} below {root}')
        yield Path(os.path.normpath(found))
