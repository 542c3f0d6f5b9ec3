"""Draw the distribution of classes and box sizes of a data set: mmyolo's tool."""
from mmseam.utils.host_tool import run_host_tool

run_host_tool('mmyolo', 'analysis_tools/dataset_analysis.py')
