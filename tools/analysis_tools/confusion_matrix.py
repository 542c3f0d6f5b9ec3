"""Draw the confusion matrix of detections written by tools/test.py --out: mmyolo's tool."""
from mmseam.utils.host_tool import run_host_tool

run_host_tool('mmyolo', 'analysis_tools/confusion_matrix.py')
