"""Run the tools of mmdet and mmyolo on mmseam's configs; imports only the standard library."""
import difflib
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import List, Sequence


def tools_of(package: str) -> List[str]:
    """List the tools of an installed package.

    Args:
        package (str): 'mmdet', 'mmyolo' or 'mmseam'.

    Returns:
        list[str]: Paths in its tools folder; empty if it is not installed.
    """
    folder = _folder(package)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*.py'))


def run_host_tool(package: str, tool: str, options: Sequence[str]) -> None:
    """Run a tool of a host package.

    Importing this module has imported mmseam, which provides its configs, registered types and mmcv's operators.

    Args:
        package (str): 'mmdet', 'mmyolo' or 'mmseam'.
        tool (str): Path in its tools folder, for example 'analysis_tools/browse_dataset.py'.
        options (Sequence[str]): Options of the tool.

    Raises:
        FileNotFoundError: The package does not contain the tool; the message names the most similar one.
    """
    path = _folder(package) / tool
    if path.suffix != '.py' or not path.is_file():
        names = {Path(known).name: known for known in tools_of(package)}
        near = difflib.get_close_matches(Path(tool).name, names, n=1)
        hint = f'did you mean {names[near[0]]}?' if near else f'`mmseam host {package}` lists its tools'
        raise FileNotFoundError(f'the installed {package} does not contain tools/{tool}; {hint}')
    sys.argv = [str(path), *options]
    runpy.run_path(str(path), run_name='__main__')


def _folder(package: str) -> Path:
    spec = find_spec(package)
    return Path(spec.origin).parent / '.mim' / 'tools' if spec else Path(package)
