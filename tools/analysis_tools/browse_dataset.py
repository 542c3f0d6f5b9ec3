"""Draw the samples of a dataset before or after its pipeline, with mmyolo's tool."""
from mmseam.utils.host_tool import run_host_tool

if __name__ == '__main__':
    run_host_tool('mmyolo', 'analysis_tools/browse_dataset.py')
