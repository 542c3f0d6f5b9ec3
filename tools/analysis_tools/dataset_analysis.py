"""Draw the distribution of classes and box sizes of a dataset, with mmyolo's tool."""
from mmseam.utils.host_tool import run_host_tool

if __name__ == '__main__':
    run_host_tool('mmyolo', 'analysis_tools/dataset_analysis.py')
