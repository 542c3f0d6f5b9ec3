"""Convert an Ultralytics YOLO11 checkpoint to mmseam's format.

Reading the source neither needs Ultralytics nor runs any code that it refers to.
"""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', help='checkpoint of a YOLO11 detect, segment or pose model of any size (.pt)')
    parser.add_argument('dst', help='checkpoint to write (.pth), to be used as `load_from` in a config')
    parser.add_argument(
        '--config',
        help="config of the model to initialize (a file or the name of one of mmseam's configs), for example one with "
        'a SEAM head: only matching tensors are written, and the others are listed (default: all tensors of plain '
        'YOLO11)')
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
