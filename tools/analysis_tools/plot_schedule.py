"""Plot learning rates, momentum and gradient accumulation of a config by epoch, without images or training."""
import argparse
from pathlib import Path


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help="config file, or name of one of mmseam's configs")
    parser.add_argument('out', metavar='FILE.png', help='image file to write')
    parser.add_argument('--num-images', type=int, required=True,
                        help='number of training images, for example 12880 (WIDER FACE) or 117266 (COCO)')
    parser.add_argument('--num-processes', type=int, default=8,
                        help='number of processes, each with train_dataloader.batch_size images (default: %(default)s)')
    parser.add_argument('--other', metavar='JSON',
                        help='schedule to compare with, written by benchmarks/peer/training_driver.py trace')
    parser.add_argument('--cfg-options', nargs='+', metavar='KEY=VALUE', help='override settings of the config')
    args = parser.parse_args()
    if min(args.num_images, args.num_processes) < 1:
        parser.error('--num-images and --num-processes must be at least 1')
    return args


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.analysis.schedule_plot import largest_differences, plot_schedules, read_schedule
    from mmseam.analysis.schedule_trace import trace_schedule
    from mmseam.utils.config import ConfigError, load_config

    try:
        cfg = load_config(args.config, args.cfg_options)
        traces = {'mmseam': trace_schedule(cfg, args.num_images, args.num_processes)}
        if args.other:
            traces[f'recorded: {Path(args.other).stem}'] = read_schedule(args.other)
            for name, value in largest_differences(*traces.values()).items():
                print(f'largest difference of {name}: {value:.1e}')
        plot_schedules(traces, cfg.train_cfg.max_epochs, args.out)
    except (ConfigError, OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    trace = traces['mmseam']
    print(f'{trace.optimizer}, {len(trace.steps)} iterations, {trace.steps[-1]} optimizer steps; weight decay '
          f'{trace.weight_decay[0]:g}\nwritten: {args.out}')


if __name__ == '__main__':
    main()
