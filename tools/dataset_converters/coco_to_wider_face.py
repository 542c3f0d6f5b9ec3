"""Convert COCO JSON with attributes to the annotation format of WIDER FACE."""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('json_file', help='COCO JSON file as written by wider_face_to_coco.py')
    parser.add_argument('out_file', help='annotation file to write, for example wider_face_val_bbx_gt.txt')
    return parser.parse_args()


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.datasets.wider_face.from_coco import convert_coco_to_wider_face

    try:
        images, faces = convert_coco_to_wider_face(args.json_file, args.out_file)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    print(f'{args.out_file}: {images} images, {faces} faces')


if __name__ == '__main__':
    main()
