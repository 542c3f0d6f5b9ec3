"""Evaluate detections written by tools/test.py --out, with mmdet's tool."""
from mmseam.utils.host_tool import run_host_tool

if __name__ == '__main__':
    run_host_tool('mmdet', 'analysis_tools/eval_metric.py')
