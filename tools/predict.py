"""Detect objects in images, videos or a webcam; draw them and write them to JSON and CSV."""
import argparse

DEFAULT_MODEL = 'yolo11_n_multiseam-lite_faces'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help="image, folder (searched recursively), glob pattern in quotes ('a/*.jpg'), "
                        'video, or webcam index (0), which Ctrl-C stops')
    parser.add_argument('model', nargs='?', default=DEFAULT_MODEL,
                        help="config file, name of one of mmseam's configs, checkpoint of a training (.pth), or "
                        'exported file (.onnx, .torchscript, .pt2, .xml) (default: %(default)s, a small face detector '
                        'that comes with mmseam)')
    parser.add_argument('checkpoint', nargs='?',
                        help="checkpoint of the config (default: the weights in the config's metafile)")
    parser.add_argument('--out-dir', help='folder for the drawn images or video (.mp4); nothing is drawn without it')
    parser.add_argument('--json', help='write the detections to this JSON file: one object per image')
    parser.add_argument('--csv', help='write the detections to this CSV file: one row per box')
    parser.add_argument('--score-thr', type=float, default=0.3,
                        help='minimum score of detections (default: %(default)s)')
    parser.add_argument('--batch-size', type=int, default=1, help='images per forward pass (default: %(default)s)')
    parser.add_argument('--workers', type=int, metavar='N',
                        help='concurrent forward passes (default: up to 4 on a CPU if the network supports it, '
                        '1 for a webcam)')
    parser.add_argument('--square', action='store_true',
                        help='pad images to a square like tools/test.py, instead of to multiples of the stride')
    parser.add_argument('--device',
                        help='cpu, cuda:0, … (default: the best available device, or the CPU for exported files)')
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
