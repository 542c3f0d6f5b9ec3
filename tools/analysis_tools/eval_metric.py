"""Evaluate detections written by tools/test.py --out, with mmdet's tool."""
import runpy
from importlib.util import find_spec
from pathlib import Path

# By its path: an import would import mmseam, and with it PyTorch, for --help too
host_tool = runpy.run_path(str(Path(find_spec('mmseam').origin).parent / 'utils' / 'host_tool.py'))
host_tool['run_host_tool']('mmdet', 'analysis_tools/eval_metric.py')
