"""Export a trained detector to a file that runs without this repository, and verify it against PyTorch.

The file is kept only if its boxes are within 0.5 pixels and its scores within 0.001 of PyTorch's. tools/predict.py,
tools/test.py and mmseam.apis.load_detector accept it instead of a checkpoint.
"""
import argparse

_SUFFIXES = dict(onnx='.onnx', torchscript='.torchscript', pt2='.pt2', openvino='.xml')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help="config file, or name of one of mmseam's configs")
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--format', choices=_SUFFIXES, default='onnx', help='file format (default: %(default)s)')
    parser.add_argument('--out', metavar='FILE',
                        help='file to write (default: path of the checkpoint with the suffix of the format)')
    parser.add_argument('--imgsz', type=int, nargs='+', metavar='N',
                        help='input size in pixels: one number, or height and width; multiples of the largest '
                        'stride (default: size of the test pipeline)')
    parser.add_argument('--dynamic', action='store_true',
                        help='make batch size, height and width dynamic (multiples of the largest stride, at least '
                        'two strides); slower with some libraries')
    parser.add_argument('--nms', action='store_true',
                        help="include NMS with the config's test_cfg in the file (onnx, openvino)")
    parser.add_argument('--images', metavar='FOLDER',
                        help='images to compare with PyTorch on (default: synthetic images)')
    parser.add_argument('--int8', action='store_true',
                        help='also write NAME_int8.onnx, quantized to 8 bits; needs --calibration')
    parser.add_argument('--calibration', metavar='FOLDER',
                        help='about a hundred representative images, which determine the ranges for --int8')
    parser.add_argument('--ap', action='store_true',
                        help="evaluate the files on the config's test set, and report the AP lost with --int8")
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE',
                        help='override settings of the config, for example model.test_cfg.score_thr=0.01')
    args = parser.parse_args()
    if args.imgsz and len(args.imgsz) > 2:
        parser.error('--imgsz takes one number, or height and width')
    if args.int8 and (args.format != 'onnx' or not args.calibration):
        parser.error('--int8 needs --format onnx and --calibration FOLDER')
    return args


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.apis.exporting import ExportOptions, run_export

    out_file = args.out or args.checkpoint.rsplit('.', 1)[0] + _SUFFIXES[args.format]
    options = ExportOptions(
        args.config, args.checkpoint, out_file, args.imgsz and (args.imgsz * 2)[:2], args.dynamic, args.nms,
        args.images, args.calibration if args.int8 else None, args.ap, args.cfg_options)
    try:
        for line in run_export(options):
            print(line)
    except (ImportError, OSError, ValueError, TypeError) as error:
        raise SystemExit(f'error: {error}') from None


if __name__ == '__main__':
    main()
