"""Run a study: train the variants of a detector with several seeds, evaluate them alike, and write the report.

The study file (YAML) names a config, variants as overrides of it, seeds, training and evaluation sets. Runs that are
done are not repeated, a run that was interrupted is resumed, and a run whose config or data changed starts again.
docs/studies.md describes the file and the report.
"""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('study', metavar='STUDY.yaml', help='study file')
    parser.add_argument('--work-dir', metavar='FOLDER',
                        help='folder of all runs, results and the report (default: work_dirs/STUDY)')
    parser.add_argument('--only', nargs='+', metavar='VARIANT[:SEED]', help='run these only, in this order')
    parser.add_argument('--report', nargs='?', const='', metavar='RESULTS',
                        help='train nothing; write the report of the results in this folder (default: those of the '
                        'work folder). Neither data nor weights are needed')
    parser.add_argument('--devices', nargs='+', metavar='GPU', help="indices of GPUs, or 'cpu' (default: all GPUs)")
    parser.add_argument('--slurm', metavar='PARTITION', help='hand the runs to Slurm, one GPU each (needs submitit)')
    parser.add_argument('--hours', type=float, default=24, help='time limit of a Slurm job (default: %(default)g)')
    parser.add_argument('--resamples', type=int, default=1000,
                        help='resamples of the images for the intervals (default: %(default)s)')
    args = parser.parse_args()
    if args.resamples < 1 or args.hours <= 0:
        parser.error('--resamples and --hours must be positive')
    if args.report is not None and (args.only or args.slurm or args.devices):
        parser.error('--report trains nothing: leave out --only, --slurm and --devices')
    return args


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.apis.studying import StudyFileError, StudyRunError, report_study, run_study

    try:
        if args.report is None:
            run_study(args.study, args.work_dir, args.only, args.devices, args.slurm, args.hours)
        files = report_study(args.study, args.work_dir, args.report or None, args.resamples)
    except (OSError, StudyFileError, StudyRunError) as error:
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt:
        raise SystemExit('interrupted; run the same command again to resume') from None
    print('\n'.join(f'written: {file}' for file in files))


if __name__ == '__main__':
    main()
