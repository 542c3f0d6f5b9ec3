"""Draw the confusion matrix of detections written by tools/test.py --out, with mmyolo's tool."""
from mmseam.utils.host_tool import run_host_tool

if __name__ == '__main__':
    run_host_tool('mmyolo', 'analysis_tools/confusion_matrix.py')
