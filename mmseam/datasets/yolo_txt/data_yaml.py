"""Reader of Ultralytics' data files.

A data file names the folder of a dataset, its images and its classes::

    path: ../datasets/faces  # relative to the data file or to the working directory
    train: images/train      # folder, text file with an image per line, or list of both
    val: images/val
    names: [face]            # or 0: face

``download``, a URL or a program in such files, is never used.
"""
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, NoReturn, Optional, Tuple, Union

import yaml

_LARGEST = 2**18  # bytes of a data file; 1,200 names take 30,000
_LONGEST_QUOTE = 60
_LONGEST_PATH = 300  # characters of a path in an error message
_REQUIRED = ('train', 'val', 'names')


class YOLODataError(ValueError):
    """Error for a malformed data, list or label file; the message names the file and the line."""


class YOLODataFile(NamedTuple):
    """Content of a data file.

    Args:
        file (Path): The data file.
        root (Path): Folder of the dataset, absolute.
        splits (Dict[str, List[Path]]): Absolute folders or text files of the images of 'train' and 'val'.
        names (Tuple[str, ...]): Class names by label.
        has_keypoints (bool): Whether keypoints follow the box in the label files (``kpt_shape``).
    """
    file: Path
    root: Path
    splits: Dict[str, List[Path]]
    names: Tuple[str, ...]
    has_keypoints: bool


def read_data_yaml(path: Union[str, Path]) -> YOLODataFile:
    """Read a data file of Ultralytics.

    Args:
        path (str or Path): The file.

    Returns:
        YOLODataFile: Its content.

    Raises:
        FileNotFoundError: The file does not exist.
        YOLODataError: It is malformed, or a folder that it names does not exist; the message names the line.
    """
    return _Reader(Path(path)).read()


class _Reader:
    """Reader of one data file, which works on YAML's nodes and so knows the lines of all values."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = self._parse()

    def read(self) -> YOLODataFile:
        for key in _REQUIRED:
            if key not in self.entries:
                self.fail(None, f'there is no {key!r}; a data file has {", ".join(_REQUIRED)}, and path')
        names = self._names()
        number = self.entries.get('nc')
        if number and self.text('nc', number) != str(len(names)):
            self.fail(number, f'nc is {_quote(number.value)}, but names has {len(names)} classes')
        root = self._root()
        splits = {name: [self._images(name, node, root) for node in self._items(self.entries[name])]
                  for name in ('train', 'val')}
        return YOLODataFile(self.path, root, splits, names, 'kpt_shape' in self.entries)

    def fail(self, node: Optional[yaml.Node], problem: str) -> NoReturn:
        """Raise an error that names the file and the line of a node."""
        line = f', line {node.start_mark.line + 1}' if node else ''
        raise YOLODataError(f'{self.path}{line}: {problem}')

    def text(self, name: str, node: yaml.Node) -> str:
        """Return a value that must be a string."""
        if not isinstance(node, yaml.ScalarNode) or not node.value or node.tag.endswith(':null'):
            self.fail(node, f'{name} must be a string')
        if '\0' in node.value or node.value != node.value.encode('utf-8', 'replace').decode():
            self.fail(node, f'{name} contains a character that no file name has')
        return node.value

    def _parse(self) -> dict:
        with self.path.open('rb') as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            self.fail(None, f'more than {_LARGEST:,} bytes are no data file')
        try:
            root = yaml.compose(content, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = f', line {error.problem_mark.line + 1}' if error.problem_mark else ''
            raise YOLODataError(f'{self.path}{line}: not YAML: {error.problem}') from error
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise YOLODataError(f'{self.path}: not YAML: {type(error).__name__}') from error
        if not isinstance(root, yaml.MappingNode):
            self.fail(root, 'expected keys and values such as "train: images/train"')
        return {key.value: value for key, value in root.value if isinstance(key, yaml.ScalarNode)}

    def _items(self, node: yaml.Node) -> List[yaml.Node]:
        return node.value if isinstance(node, yaml.SequenceNode) else [node]

    def _names(self) -> Tuple[str, ...]:
        node = self.entries['names']
        if isinstance(node, yaml.MappingNode):
            numbered = {self.text('a class number', key): value for key, value in node.value}
            if set(numbered) != {str(number) for number in range(len(node.value))}:
                self.fail(node, f'names must be numbered from 0 to {len(node.value) - 1}')
            values = [numbered[str(number)] for number in range(len(numbered))]
        elif isinstance(node, yaml.SequenceNode):
            values = node.value
        else:
            self.fail(node, 'names must be a list, or class names by number')
        names = tuple(self.text('a class name', value) for value in values)
        seen = set()
        for value, name in zip(values, names):
            if name in seen:
                self.fail(value, f'two classes are named {_quote(name)}')
            seen.add(name)
        return names if names else self.fail(node, 'names is empty')

    def _root(self) -> Path:
        folder = self.path.absolute().parent
        node = self.entries.get('path')
        if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
            return folder
        name = self.text('path', node)
        found = next((place / name for place in (folder, Path.cwd()) if os.path.isdir(place / name)), None)
        return found.resolve() if found else self.fail(
            node, f'there is no folder {_shorten(name)}, neither beside the data file nor in {Path.cwd()}')

    def _images(self, name: str, node: yaml.Node, root: Path) -> Path:
        path = Path(os.path.normpath(root / self.text(name, node)))
        # Path.is_dir() fails for a name that is too long
        if not (os.path.isdir(path) or (os.path.isfile(path) and path.suffix == '.txt')):
            self.fail(node, f'{name} is neither a folder nor a text file with an image per line: {_shorten(path)}')
        return path


def iterate_list(path: Path) -> Iterator[Tuple[int, str]]:
    """Yield number and content of the lines of a text file that are not empty.

    Args:
        path (Path): The file.

    Yields:
        tuple: Number from 1, and the line without surrounding blanks.

    Raises:
        YOLODataError: It is not UTF-8.
    """
    content = path.read_bytes()
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = content.count(b'\n', 0, error.start) + 1
        raise YOLODataError(f'{path}, line {line}: not UTF-8 text') from error
    for number, line in enumerate(text.split('\n'), 1):
        if line.strip():
            yield number, line.strip()


def _shorten(path: Union[str, Path], longest: int = _LONGEST_PATH) -> str:
    text = str(path)
    return text if len(text) <= longest else f'{text[:longest]}…'


def _quote(value: Any) -> str:
    return _shorten(repr(value), _LONGEST_QUOTE)
