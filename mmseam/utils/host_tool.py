"""Runs the analysis tools of mmdet and mmyolo on configs of mmseam."""
import importlib
import runpy
import sys
from pathlib import Path


def run_host_tool(package: str, tool: str) -> None:
    """Run a tool that a host package ships, with this program's command line.

    mmseam is imported by now, which is all that the tool lacks: configs inherited from us, our types, mmcv's operators.

    Args:
        package (str): 'mmdet' or 'mmyolo'.
        tool (str): Path below its tools, 'analysis_tools/browse_dataset.py'.

    Raises:
        FileNotFoundError: The package does not ship it.
    """
    path = Path(importlib.import_module(package).__file__).parent / '.mim' / 'tools' / tool
    if not path.is_file():
        raise FileNotFoundError(f'{package} as installed here does not ship tools/{tool} ({path})')
    sys.argv[0] = str(path)
    runpy.run_path(str(path), run_name='__main__')
