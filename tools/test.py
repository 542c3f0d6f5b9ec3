"""Evaluate a detector on a test set; with --benchmark, also measure its size and speed."""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help="config file, or name of one of mmseam's configs")
    parser.add_argument(
        'checkpoint', help='checkpoint file, or exported file: .onnx, .torchscript, .pt2 or .xml (OpenVINO)')
    parser.add_argument('--work-dir', help='folder for logs and metrics (default: work_dirs/CONFIG)')
    parser.add_argument(
        '--data', metavar='data.yaml', help="test on the 'val' images of this Ultralytics data file")
    parser.add_argument('--imgsz', type=int, metavar='N', help='image size: img_scale = (N, N)')
    parser.add_argument('--out', metavar='FILE.pkl', help='write the detections for the analysis tools')
    parser.add_argument('--json-prefix', help='write the detections as COCO JSON instead of evaluating them')
    parser.add_argument('--deploy', action='store_true', help='test the deploy (fused) form of the model')
    parser.add_argument('--tta', action='store_true', help='use the test-time augmentation of the config')
    parser.add_argument(
        '--benchmark', action='store_true',
        help='also measure parameters, GFLOPs, latency by stage and images per second over the test set, one '
        'image at a time; print a table and write benchmark.json to the work folder')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--show-dir', help='draw the predictions in WORK_DIR/TIME/SHOW_DIR')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds to show each window (default: %(default)s)')
    parser.add_argument(
        '--cfg-options', nargs='+', metavar='KEY=VALUE',
        help='override settings of the config, for example test_dataloader.batch_size=8 or key="[a,b]"')
    parser.add_argument('--verbose', action='store_true', help='print the complete log; the log file always has it')
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm', 'mpi'), default='none', help='job launcher')
    # torch.distributed passes the one or the other, depending on its version
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f'--out must end with .pkl or .pickle, not {args.out}')
    if args.benchmark and (args.launcher != 'none' or args.tta or args.json_prefix):
        parser.error('--benchmark measures one process and one forward pass per image, and needs metrics: omit '
                     '--launcher, --tta and --json-prefix')
    return args


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmengine.evaluator import DumpResults
    from mmseam.compat.safe_checkpoints import CheckpointFileError
    from mmseam.datasets.yolo_txt import YOLODataError
    from mmseam.engine.runners import build_runner
    from mmseam.engine.testing import keep_partial_results, test
    from mmseam.inference.backends import ExportedModelError
    from mmseam.utils.checkpoint_match import CheckpointMismatchError
    from mmseam.utils.config import ConfigError
    from mmseam.utils.interruption import Interrupted, exit_interrupted
    from mmseam.utils.loader_errors import LoaderError
    from mmseam.apis.testing import load_test_config

    try:
        cfg = load_test_config(args)
        runner = build_runner(cfg, quiet=not args.verbose)
        if args.out:
            runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
        metrics = test(runner)
    except (CheckpointFileError, CheckpointMismatchError, ConfigError, ExportedModelError, LoaderError,
            OSError, YOLODataError) as error:
        raise SystemExit(f'error: {error}') from None
    except Interrupted as interrupt:
        exit_interrupted(interrupt, keep_partial_results(runner))
    except KeyboardInterrupt as interrupt:
        exit_interrupted(interrupt)
    if args.benchmark:
        from mmseam.analysis.benchmark.measure import benchmark
        from mmseam.analysis.benchmark.report import print_report, write_report
        report = benchmark(runner, metrics)
        print_report(report)
        print(f'written: {write_report(report, runner.work_dir)}')


if __name__ == '__main__':
    main()
