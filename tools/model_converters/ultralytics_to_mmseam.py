"""Convert an Ultralytics YOLO11 checkpoint into one of mmseam.

The source is read without Ultralytics and without running any code that it names.
"""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', help='checkpoint of a YOLO11 detect, segment or pose model (.pt), any size')
    parser.add_argument('dst', help='checkpoint to write (.pth), for `load_from` of a config')
    parser.add_argument(
        '--config',
        help='config of the net that shall take the weights, for example one with a SEAM head: only what fits is '
        'written, and what stays at its initialization is listed. Default: everything that plain YOLO11 has')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from mmseam.convert.conversion import convert
    try:
        report = convert(args.src, args.dst, args.config)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    print(report)
    print(f'written: {args.dst}')


if __name__ == '__main__':
    main()
