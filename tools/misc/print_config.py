"""Print a config as it is used: with its bases, the values of its variables, and the overrides."""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, epilog='The output is itself a config file: '
                                     'mmseam config CONFIG > complete.py')
    parser.add_argument('config', help="config file, or name of one of mmseam's configs")
    parser.add_argument('key', nargs='?', help='print only this part, for example model.bbox_head')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE', help='override settings of the config')
    return parser.parse_args()


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.utils.config import ConfigError, format_config, load_config

    try:
        print(format_config(load_config(args.config, args.cfg_options), args.key), end='')
    except ConfigError as error:
        raise SystemExit(f'error: {error}') from None


if __name__ == '__main__':
    main()
