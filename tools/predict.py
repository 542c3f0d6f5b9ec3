"""Find objects in images, videos or a webcam's picture; draw them and write them to json and csv."""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help="image, folder (with the folders in it), pattern in quotes ('a/*.jpg'), video, "
                        'or number of a webcam (0), which Ctrl-C ends')
    parser.add_argument('model', help="config file, name of one of mmseam's configs, or exported file "
                        '(.onnx, .torchscript, .pt2, .xml)')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint of the config (default: the one its metafile names)')
    parser.add_argument('--out-dir', help='folder of the drawn images or video (.mp4); without it none is drawn')
    parser.add_argument('--json', help='file for the detections: one object per image')
    parser.add_argument('--csv', help='file for the detections: one row per box')
    parser.add_argument('--score-thr', type=float, default=0.3,
                        help='leave out boxes below this score (default: %(default)s)')
    parser.add_argument('--batch-size', type=int, default=1, help='images per forward pass (default: %(default)s)')
    parser.add_argument('--workers', type=int, metavar='N',
                        help='forward passes at the same time (default: on a CPU up to 4 where the network allows it, '
                        'for a webcam 1)')
    parser.add_argument('--square', action='store_true',
                        help='pad images to the square as tools/test.py does, instead of to whole strides')
    parser.add_argument('--device', help='cpu, cuda:0, … (default: the best one there is, for exported files the CPU)')
    args = parser.parse_args()
    if args.batch_size < 1:
        parser.error(f'--batch-size must be at least 1, not {args.batch_size}')
    return args


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.inference.prediction import predict
    from mmseam.utils.atomic_write import partial_path
    from mmseam.utils.interruption import Interrupted, exit_interrupted

    try:
        summary = predict(args.source, args.model, args.checkpoint, args.out_dir, args.score_thr, args.device,
                          args.batch_size, not args.square, args.json, args.csv, args.workers)
    except (ImportError, OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    except Interrupted as interrupt:
        tables = [partial_path(path) for path in (args.json, args.csv) if path]
        exit_interrupted(interrupt, [*([args.out_dir] if args.out_dir else []), *tables])
    except KeyboardInterrupt as interrupt:
        exit_interrupted(interrupt)
    print(summary)
    outputs = [path for path in (args.out_dir, args.json, args.csv) if path]
    if outputs:
        print('written:', ', '.join(outputs))
    if summary.bad:
        raise SystemExit(f'error: {len(summary.bad)} images could not be read or drawn; all others are in the results')


if __name__ == '__main__':
    main()
