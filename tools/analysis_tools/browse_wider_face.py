"""Draw the faces of WIDER FACE, or of a dataset in its layout, colored by occlusion."""
import argparse

EXAMPLES = """examples:
  python tools/analysis_tools/browse_wider_face.py data/WIDERFace --split val --out-dir drawn
  python tools/analysis_tools/browse_wider_face.py data/WIDERFace --out-dir drawn --filter 'occlusion=heavy & height>20'
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', help='folder with wider_face_split/ and WIDER_{train,val}/images/')
    parser.add_argument('--split', choices=('train', 'val'), default='val', help='split to draw (default: %(default)s)')
    parser.add_argument('--out-dir', required=True, help='folder to write the images to')
    parser.add_argument('--num', type=int, default=20,
                        help='number of images, evenly distributed over the split (default: %(default)s)')
    parser.add_argument('--filter', metavar='EXPRESSION',
                        help="draw only these faces, and only images with one, for example 'blur=heavy | height<16'")
    parser.add_argument('--show', action='store_true',
                        help='also show the images one by one; press any key to continue, q to quit')
    args = parser.parse_args()
    if args.num < 1:
        parser.error(f'--num must be at least 1, not {args.num}')
    return args


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.analysis.wider_face_browser import browse_wider_face

    try:
        written = browse_wider_face(args.root, args.split, args.out_dir, args.num, args.filter, args.show)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    print(f'{len(written)} images written to {args.out_dir}')


if __name__ == '__main__':
    main()
