"""Draw a detector's predictions on an image, on all images of a folder, or on a video."""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help='image, folder of images (with the folders in it) or video')
    parser.add_argument('config', help="config file, or the name of one of mmseam's")
    parser.add_argument('checkpoint', help='checkpoint of that config')
    parser.add_argument('--out-dir', required=True, help='folder of the drawn images, or of the video (.mp4)')
    parser.add_argument('--score-thr', type=float, default=0.3,
                        help='draw boxes from this score (default: %(default)s)')
    parser.add_argument('--device', help='cpu, cuda:0, … (default: the best one there is)')
    parser.add_argument('--batch-size', type=int, default=1, help='images per forward pass (default: %(default)s)')
    args = parser.parse_args()
    if args.batch_size < 1:
        parser.error(f'--batch-size must be at least 1, not {args.batch_size}')
    return args


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.apis.prediction import predict

    try:
        summary = predict(args.source, args.config, args.checkpoint, args.out_dir, args.score_thr, args.device,
                          args.batch_size)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    print(f'{summary.num_frames} images or frames, {summary.num_detections} detections from score {args.score_thr}; '
          f'written to {args.out_dir}')
    if summary.bad:
        print(f'{len(summary.bad)} images could not be read:', *summary.bad, sep='\n- ')


if __name__ == '__main__':
    main()
