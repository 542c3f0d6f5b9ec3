"""Run the analysis tools of mmdet and mmyolo on mmseam's configs."""
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path


def run_host_tool(package: str, tool: str) -> None:
    """Run a tool of a host package with this program's command line.

    Importing this module has imported mmseam, which provides its configs, registered types and mmcv's operators.

    Args:
        package (str): 'mmdet' or 'mmyolo'.
        tool (str): Path in its tools folder, for example 'analysis_tools/browse_dataset.py'.

    Raises:
        FileNotFoundError: The package does not contain the tool.
    """
    path = Path(find_spec(package).origin).parent / '.mim' / 'tools' / tool
    if not path.is_file():
        raise FileNotFoundError(f'the installed {package} does not contain tools/{tool} ({path})')
    sys.argv[0] = str(path)
    runpy.run_path(str(path), run_name='__main__')
