"""Print the layers, parameters and GFLOPs of a config's model; needs no weights and no data."""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help="config file, or name of one of mmseam's configs")
    parser.add_argument('--img-size', type=int, nargs=2, default=(640, 640), metavar=('H', 'W'),
                        help='height and width of the image to compute GFLOPs for (default: 640 640)')
    parser.add_argument('--num-classes', type=int, help="number of classes (default: the config's)")
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE', help='override settings of the config')
    parser.add_argument('--json', metavar='FILE', help='also write the table as JSON')
    return parser.parse_args()


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.utils.config import ConfigError, load_config
    from mmseam.analysis.complexity import model_complexity
    from mmseam.analysis.complexity_report import print_layers, write_layers

    try:
        complexity = model_complexity(load_config(args.config, args.cfg_options), args.img_size, args.num_classes)
    except ConfigError as error:
        raise SystemExit(f'error: {error}') from None
    print_layers(complexity)
    if args.json:
        write_layers(complexity, args.json)
        print(f'written: {args.json}')


if __name__ == '__main__':
    main()
