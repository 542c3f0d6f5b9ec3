"""Draw channel gains of SEAM and MultiSEAM, or class activation maps, on covered and uncovered versions of faces."""
import argparse
from functools import partial


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help="config file, or name of one of mmseam's configs")
    parser.add_argument('checkpoint', help='checkpoint of the config')
    parser.add_argument('--data', required=True, metavar='FILE',
                        help='annotations: COCO JSON (.json) or wider_face_*_bbx_gt.txt')
    parser.add_argument('--images', metavar='FOLDER', help='folder of the images (default: images/ next to the JSON '
                        'file, or WIDER_*/images next to wider_face_split/)')
    parser.add_argument('--skip-missing', action='store_true', help='skip images that do not exist')
    parser.add_argument('--out-dir', required=True, metavar='FOLDER',
                        help='folder for gains.png, gains.pdf and gains.npz (faces × channels by layer), or maps.png '
                        'and maps.pdf')
    parser.add_argument('--cam', choices=('gradcam', 'hirescam', 'layercam', 'eigencam'), metavar='METHOD',
                        help='draw class activation maps instead of gains, of any one-stage detector: gradcam, '
                        "hirescam, layercam or eigencam (needs pip install 'mmseam[cam]')")
    parser.add_argument('--kind', default='lower',
                        help='occluder: lower, upper, block, bars, texture or face (default: %(default)s)')
    parser.add_argument('--fraction', type=float, default=0.6, help='covered fraction (default: %(default)s)')
    parser.add_argument('--num-faces', type=int, default=50,
                        help='number of faces, the largest of the data (default: %(default)s)')
    parser.add_argument('--size', type=int, default=320,
                        help='longer side of the cut-out faces in pixels (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the occluders (default: %(default)s)')
    args = parser.parse_args()
    if args.num_faces < 1 or args.size < 32 or args.seed < 0:
        parser.error('--num-faces must be at least 1, --size at least 32 and --seed at least 0')
    return args


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.analysis.activation_maps import draw_activation_maps
    from mmseam.analysis.attention_gains import draw_gains
    from mmseam.datasets.occlusion import default_image_folder, load_samples

    try:
        samples = load_samples(args.data, args.images or default_image_folder(args.data),
                               missing='skip' if args.skip_missing else 'error')
        draw = partial(draw_activation_maps, method=args.cam) if args.cam else draw_gains
        text = draw(args.config, args.checkpoint, samples, args.out_dir, kind=args.kind, fraction=args.fraction,
                    size=args.size, max_faces=args.num_faces, seed=args.seed)
    except (ImportError, OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    print(text)
    print(f'written: {args.out_dir}')


if __name__ == '__main__':
    main()
