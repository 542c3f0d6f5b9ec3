"""Run any tool of mmdet or mmyolo on mmseam's configs, types and operators."""
import argparse

EXAMPLES = """Without TOOL, lists the tools of the package. Everything after TOOL goes to the tool.

examples:
  mmseam host mmdet
  mmseam host mmdet analysis_tools/analyze_results.py --help
  mmseam host mmyolo analysis_tools/confusion_matrix.py CONFIG RESULTS.pkl results/matrix
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('package', choices=('mmdet', 'mmyolo', 'mmseam'), help='package that the tool belongs to')
    parser.add_argument('tool', nargs='?', help='path of the tool in the package, for example '
                        'analysis_tools/analyze_results.py')
    parser.add_argument('options', nargs=argparse.REMAINDER, help='options of the tool')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from mmseam.utils.host_tool import run_host_tool, tools_of

    if args.tool is None:
        print('\n'.join(tools_of(args.package)))
        return
    try:
        run_host_tool(args.package, args.tool, args.options)
    except FileNotFoundError as error:
        raise SystemExit(f'error: {error}') from None


if __name__ == '__main__':
    main()
