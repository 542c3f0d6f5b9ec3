"""Print the parameters and GFLOPs of a config's model; needs no weights and no data."""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help="config file, or name of one of mmseam's configs")
    parser.add_argument('--shape', type=int, nargs='+', default=[640],
                        help='side length, or height and width, of the image (default: 640)')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE', help='override settings of the config')
    args = parser.parse_args()
    if len(args.shape) > 2:
        parser.error('--shape takes one number or two')
    return args


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.utils.config import ConfigError, load_config
    from mmseam.analysis.complexity import model_complexity
    from mmseam.analysis.complexity_report import totals

    try:
        complexity = model_complexity(load_config(args.config, args.cfg_options), (args.shape * 2)[:2])
    except ConfigError as error:
        raise SystemExit(f'error: {error}') from None
    print(totals(complexity))


if __name__ == '__main__':
    main()
