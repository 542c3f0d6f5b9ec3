"""Run the analysis tools of mmdet and mmyolo on mmseam's configs.

Only the standard library is imported at the top, so that ``--help`` is fast; the tools load this file by its path for
the same reason.
"""
import argparse
import ast
import importlib
import os
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path


def run_host_tool(package: str, tool: str) -> None:
    """Run a tool of a host package with this program's command line.

    Importing mmseam first provides its configs, its registered types and mmcv's operators.

    Args:
        package (str): 'mmdet' or 'mmyolo'.
        tool (str): Path in its tools folder, 'analysis_tools/browse_dataset.py'.

    Raises:
        FileNotFoundError: The package does not contain it.
    """
    path = Path(find_spec(package).origin).parent / '.mim' / 'tools' / tool
    if not path.is_file():
        raise FileNotFoundError(f'{package} as installed here does not ship tools/{tool} ({path})')
    if {'-h', '--help'} & set(sys.argv[1:]):
        _parse_alone(path)
    importlib.import_module('mmseam')
    sys.argv[0] = str(path)
    runpy.run_path(str(path), run_name='__main__')


def _parse_alone(path: Path) -> None:
    """Run the tool's ``parse_args`` without its imports, which take seconds; exit after the help."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == 'parse_args']
    # The names that the function uses; the help does not depend on MMEngine's action for `--cfg-options`.
    names = dict(argparse=argparse, os=os, sys=sys, DictAction=argparse.Action)
    exec(compile(tree, str(path), 'exec'), names)  # noqa: S102
    names['parse_args']()
