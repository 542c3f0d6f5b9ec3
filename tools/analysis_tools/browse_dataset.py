"""Draw the samples of a data set, before or after its pipeline: mmyolo's tool."""
from mmseam.utils.host_tool import run_host_tool

run_host_tool('mmyolo', 'analysis_tools/browse_dataset.py')
