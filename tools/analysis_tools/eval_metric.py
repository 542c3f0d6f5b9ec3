"""Evaluate detections written by tools/test.py --out: mmdet's tool."""
from mmseam.utils.host_tool import run_host_tool

run_host_tool('mmdet', 'analysis_tools/eval_metric.py')
