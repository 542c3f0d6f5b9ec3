"""Runs the analysis tools of mmdet and mmyolo on configs of mmseam.

Only the standard library is imported before it is needed, so that ``--help`` answers at once; for that the tools load
this file by its path.
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
    """Run a tool that a host package ships, with this program's command line.

    mmseam is imported before, which is all that the tool lacks: configs inherited from us, our types, mmcv's operators.

    Args:
        package (str): 'mmdet' or 'mmyolo'.
        tool (str): Path below its tools, 'analysis_tools/browse_dataset.py'.

    Raises:
        FileNotFoundError: The package does not ship it.
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
    """Run the tool's ``parse_args`` without its imports, which take seconds; it ends the program after the help."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == 'parse_args']
    # What the function uses; of MMEngine's action for `--cfg-options` the help shows nothing.
    names = dict(argparse=argparse, os=os, sys=sys, DictAction=argparse.Action)
    exec(compile(tree, str(path), 'exec'), names)  # noqa: S102
    names['parse_args']()
