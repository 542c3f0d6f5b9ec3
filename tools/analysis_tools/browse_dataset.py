"""Draw the samples of a dataset before or after its pipeline, with mmyolo's tool."""
import sys


def main() -> None:
    from mmseam.utils.host_tool import run_host_tool
    run_host_tool('mmyolo', 'analysis_tools/browse_dataset.py', sys.argv[1:])


if __name__ == '__main__':
    main()
