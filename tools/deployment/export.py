"""Export a trained detector to a file that runs without this repository, checked against PyTorch.

The file is written only if its boxes equal PyTorch's to 0.5 pixels and its scores to 0.001. tools/predict.py,
tools/test.py and mmseam.apis.load_detector take it in the place of a checkpoint.
"""
import argparse

_SUFFIXES = dict(onnx='.onnx', torchscript='.torchscript', pt2='.pt2', openvino='.xml')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help="config file, or the name of one of mmseam's")
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--format', choices=_SUFFIXES, default='onnx', help='default: %(default)s')
    parser.add_argument('--out', metavar='FILE',
                        help='file to write (default: the checkpoint with the suffix of the format)')
    parser.add_argument('--imgsz', type=int, nargs='+', metavar='N',
                        help='size of the input in pixels: one number, or height and width; multiples of the largest '
                        'stride (default: that of the test pipeline)')
    parser.add_argument('--dynamic', action='store_true',
                        help='let batch, height and width be free (sides are multiples of the largest stride, two at '
                        'least); slower on some engines')
    parser.add_argument('--nms', action='store_true',
                        help="make NMS with the config's test_cfg a part of the file (onnx, openvino)")
    parser.add_argument('--images', metavar='FOLDER', help='images to compare on (default: synthetic ones)')
    parser.add_argument('--int8', action='store_true',
                        help='also write a file quantized to 8 bits, NAME_int8.onnx; needs --calibration')
    parser.add_argument('--calibration', metavar='FOLDER',
                        help='about a hundred images like those the model will see, which set the ranges for --int8')
    parser.add_argument('--ap', action='store_true',
                        help="measure the files by the config's test set, and what --int8 costs")
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE',
                        help='change settings of the config, for example model.test_cfg.score_thr=0.01')
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
