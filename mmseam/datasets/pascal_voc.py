"""Converter from Pascal VOC's XML files to COCO JSON."""
import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union
from xml.parsers import expat

from mmseam.utils.atomic_write import atomic_write

_LARGEST = 2**22  # bytes of an XML file
_LARGEST_COORDINATE = 2**24
_DEEPEST = 20


class VOCFormatError(ValueError):
    """Error for a malformed XML file; the message names the file and, if known, the line."""


def convert_voc(xml_dir: Union[str, os.PathLike], out_file: Union[str, os.PathLike],
                classes: Optional[Sequence[str]] = None) -> Tuple[int, int, Tuple[str, ...]]:
    """Convert the XML files of a folder to a COCO JSON file.

    VOC counts pixels from 1, so 1 is subtracted from the left and upper side. Difficult objects get ``iscrowd`` 0 and
    ``ignore`` 1, as in MMDetection.

    Args:
        xml_dir (str | os.PathLike): Folder with an XML file per image, searched recursively.
        out_file (str | os.PathLike): JSON file to write. The ``file_name`` of an image is its ``filename``.
        classes (Sequence[str], optional): Names of the classes, in order. Defaults to None: all, sorted.

    Returns:
        Tuple[int, int, Tuple[str, ...]]: Number of images and of boxes, and the classes.

    Raises:
        FileNotFoundError: There are no XML files.
        VOCFormatError: A file is malformed, or an object has a class that is not in ``classes``.
    """
    paths = sorted(path for path in Path(xml_dir).rglob('*.xml') if path.is_file())
    if not paths:
        raise FileNotFoundError(f'there are no XML files in {xml_dir}')
    images = [_read_image(path) for path in paths]
    found = sorted({found['name'] for image in images for found in image['objects']})
    names = tuple(classes) if classes else tuple(found)
    annotations = list(_annotations(images, names))
    content = dict(
        images=[dict(id=index, **{key: image[key] for key in ('file_name', 'width', 'height')})
                for index, image in enumerate(images)],
        annotations=annotations,
        categories=[dict(id=number, name=name) for number, name in enumerate(names, 1)])
    with atomic_write(os.fspath(out_file)) as file:
        json.dump(content, file)
    return len(images), len(annotations), names


def _annotations(images: List[Dict[str, Any]], names: Sequence[str]) -> Iterator[Dict[str, Any]]:
    numbers = {name: number for number, name in enumerate(names, 1)}
    number = 0
    for index, image in enumerate(images):
        for found in image['objects']:
            if found['name'] not in numbers:
                raise VOCFormatError(f'{image["path"]}: the class {found["name"][:50]!r} is not one of '
                                     f'{", ".join(names)}')
            number += 1
            x1, y1, x2, y2 = found['box']
            box = [x1, y1, x2 - x1, y2 - y1]
            yield dict(id=number, image_id=index, category_id=numbers[found['name']], bbox=box, area=box[2] * box[3],
                       iscrowd=0, ignore=int(found['difficult']))


def _read_image(path: Path) -> Dict[str, Any]:
    """Return file name, size and objects of an XML file."""
    root = _parse(path)
    name = _text(path, root, 'filename')
    width, height = (_number(path, root, f'size/{side}') for side in ('width', 'height'))
    if os.path.isabs(name) or '..' in Path(name).parts or '\0' in name:
        raise VOCFormatError(f'{path}: filename must be below the image folder, not {name[:50]!r}')
    if width < 1 or height < 1:
        raise VOCFormatError(f'{path}: size must be positive, not {width:g} x {height:g}')
    return dict(path=path, file_name=name, width=int(width), height=int(height), objects=[
        _read_object(path, value) for key, value in root['children'] if key == 'object'])


def _read_object(path: Path, element: Dict[str, Any]) -> Dict[str, Any]:
    x1, y1, x2, y2 = (_number(path, element, f'bndbox/{side}') for side in ('xmin', 'ymin', 'xmax', 'ymax'))
    if x2 < x1 or y2 < y1:
        raise VOCFormatError(f'{path}, line {element["line"]}: xmax and ymax must not be smaller than xmin and ymin')
    difficult = _find(element, 'difficult')
    return dict(name=_text(path, element, 'name'), box=(x1 - 1, y1 - 1, x2, y2),
                difficult=difficult is not None and difficult['text'].strip() == '1')


def _find(element: Dict[str, Any], name: str) -> Optional[Dict[str, Any]]:
    found: Optional[Dict[str, Any]] = element
    for part in name.split('/'):
        found = next((value for key, value in found['children'] if key == part), None) if found else None
    return found


def _text(path: Path, element: Dict[str, Any], name: str) -> str:
    found = _find(element, name)
    text = found['text'].strip() if found else ''
    if not text:
        raise VOCFormatError(f'{path}, line {element["line"]}: there is no {name}')
    return text


def _number(path: Path, element: Dict[str, Any], name: str) -> float:
    text = _text(path, element, name)
    try:
        # float() accepts 1_0 as 10, and digits of other scripts
        number = float(text) if text.isascii() and '_' not in text else None
    except ValueError:
        number = None
    if number is None or not abs(number) < _LARGEST_COORDINATE:
        raise VOCFormatError(f'{path}, line {element["line"]}: {name} must be a number, not {text[:50]!r}')
    return number


def _parse(path: Path) -> Dict[str, Any]:
    """Parse an XML file without entities and document types, which can expand or read other files."""
    content = path.read_bytes() if path.stat().st_size <= _LARGEST else b''
    if not content:
        raise VOCFormatError(f'{path}: empty, or larger than {_LARGEST:,} bytes')
    parser = expat.ParserCreate()
    top: Dict[str, Any] = dict(children=[], text='', line=1)
    stack = [top]

    def start(name: str, _: Dict[str, str]) -> None:
        if len(stack) > _DEEPEST:
            raise VOCFormatError(f'{path}, line {parser.CurrentLineNumber}: elements are nested too deeply')
        element = dict(children=[], text='', line=parser.CurrentLineNumber)
        stack[-1]['children'].append((name, element))
        stack.append(element)

    def refuse(*_: Any) -> None:
        raise VOCFormatError(f'{path}, line {parser.CurrentLineNumber}: document types and entities are not allowed')

    def add(text: str) -> None:
        stack[-1]['text'] += text

    parser.StartElementHandler, parser.CharacterDataHandler = start, add
    parser.EndElementHandler = lambda _: stack.pop()
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise VOCFormatError(f'{path}, line {error.lineno}: no XML: {expat.ErrorString(error.code)}') from error
    except (ValueError, LookupError) as error:  # an unknown encoding, besides our own errors
        if isinstance(error, VOCFormatError):
            raise
        raise VOCFormatError(f'{path}: no XML: {error}') from error
    root = _find(top, 'annotation')
    return root if root else _missing(path)


def _missing(path: Path) -> Dict[str, Any]:
    raise VOCFormatError(f'{path}: expected an element "annotation"')
