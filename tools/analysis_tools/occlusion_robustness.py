"""Measure how much detectors find when a controlled fraction of every face (or other box) is covered."""
import argparse

EXAMPLES = """examples:
  one model on a COCO dataset, with its images in images/ next to the JSON file:
    python tools/analysis_tools/occlusion_robustness.py yolo11_n_syncbn_fast_8xb16-250e_widerface,plain.pth \\
      --data data/faces/test.json --out-dir work_dirs/occlusion
  two models on WIDER FACE, compared with the first one:
    python tools/analysis_tools/occlusion_robustness.py plain=plain.py,plain.pth seam=seam.onnx \\
      --data data/WIDERFace/wider_face_split/wider_face_val_bbx_gt.txt --out-dir work_dirs/occlusion

written: occlusion.json (everything), occlusion.csv, differences.csv, plots as .png and .pdf, examples.png
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('models', nargs='+', metavar='[NAME=]MODEL[,CHECKPOINT]',
                        help="config file or name of one of mmseam's configs with its checkpoint, or exported file "
                        '(.onnx, .torchscript, .pt2, .xml); the others are compared with the first')
    parser.add_argument('--data', required=True, metavar='FILE',
                        help='annotations: COCO JSON (.json) or wider_face_*_bbx_gt.txt')
    parser.add_argument('--images', metavar='FOLDER', help='folder of the images (default: images/ next to the JSON '
                        'file, or WIDER_*/images next to wider_face_split/)')
    parser.add_argument('--out-dir', required=True, metavar='FOLDER', help='folder to write the results to')
    parser.add_argument('--kinds', nargs='+', metavar='KIND',
                        help='occluders: lower, upper, block, bars, texture, face (default: all)')
    parser.add_argument('--fractions', nargs='+', type=float, default=[0, .2, .4, .6, .8], metavar='F',
                        help='fractions of each box to cover, 0 to 1 (default: 0 0.2 0.4 0.6 0.8)')
    parser.add_argument('--seed', type=int, default=0, help='seed of occluders and resamples (default: %(default)s)')
    parser.add_argument('--score-thr', type=float, default=0.01,
                        help='leave out detections below this score (default: %(default)s)')
    parser.add_argument('--bootstrap', type=int, default=1000, metavar='N',
                        help='resamples of the images for the intervals (default: %(default)s)')
    parser.add_argument('--classes', nargs='+', metavar='NAME',
                        help='cover the boxes and count the detections of these classes only (default: all, as one '
                        'class); both the COCO file and the model must use the name')
    parser.add_argument('--skip-missing', action='store_true', help='skip images that do not exist')
    parser.add_argument('--example', default='', metavar='NAME',
                        help='image to show in examples.png (default: the one with the largest boxes)')
    parser.add_argument('--square', action='store_true',
                        help='pad images to the square as tools/test.py does, instead of to whole strides')
    parser.add_argument('--device', help='cpu, cuda:0, … (default: the best one there is, for exported files the CPU)')
    args = parser.parse_args()
    if args.seed < 0 or args.bootstrap < 1:
        parser.error('--seed must be at least 0 and --bootstrap at least 1')
    return args


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.analysis.console import wide_console
    from mmseam.analysis.occlusion_curves import KINDS, load_samples
    from mmseam.analysis.occlusion_curves.curve_report import print_result
    from mmseam.analysis.occlusion_curves.robustness import measure_robustness, name_models
    from mmseam.datasets.occlusion import default_image_folder

    try:
        images = args.images or default_image_folder(args.data)
        samples = load_samples(args.data, images, args.classes, 'skip' if args.skip_missing else 'error')
        result = measure_robustness(name_models(args.models), samples, args.out_dir, args.kinds or KINDS,
                                    args.fractions, args.seed, args.score_thr, args.bootstrap, args.classes,
                                    args.device, not args.square, args.example)
    except (ImportError, OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    print_result(result.points, result.differences, result.coverage, wide_console())
    print(f'written: {args.out_dir}')


if __name__ == '__main__':
    main()
