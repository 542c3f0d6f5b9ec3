"""Convert WIDER FACE from its official layout to COCO JSON, keeping all attributes."""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', help='folder with wider_face_split/ and WIDER_{train,val}/images/')
    parser.add_argument('--split', nargs='+', choices=('train', 'val'), default=['train', 'val'],
                        help='splits to convert (default: both)')
    parser.add_argument('--out', help='folder for the JSON files wider_face_SPLIT.json (default: ROOT/annotations)')
    parser.add_argument('--skip-missing', action='store_true',
                        help='skip images that are missing or unreadable instead of stopping')
    return parser.parse_args()


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from pathlib import Path
    from mmseam.datasets.wider_face.to_coco import convert_wider_face_split

    root = Path(args.root)
    out = Path(args.out) if args.out else root / 'annotations'
    for split in args.split:
        path = out / f'wider_face_{split}.json'
        try:
            images, faces = convert_wider_face_split(root, split, path, skip_missing=args.skip_missing)
        except (OSError, ValueError) as error:
            raise SystemExit(f'error: {error}') from None
        print(f'{path}: {images} images, {faces} faces')


if __name__ == '__main__':
    main()
