"""Convert Pascal VOC's XML files to COCO JSON."""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('xml_dir', help='folder with an XML file per image, searched recursively')
    parser.add_argument('out_file', help='JSON file to write, for example annotations/train.json')
    parser.add_argument('--classes', nargs='+', metavar='NAME', help='names of the classes, in order (default: sorted)')
    return parser.parse_args()


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.datasets.pascal_voc import convert_voc

    try:
        images, boxes, classes = convert_voc(args.xml_dir, args.out_file, args.classes)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    print(f'{args.out_file}: {images} images, {boxes} boxes; classes = {classes!r}')


if __name__ == '__main__':
    main()
