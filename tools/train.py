"""Train a detector."""
import argparse
import signal


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help="config file, or name of one of mmseam's configs")
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/CONFIG)')
    parser.add_argument(
        '--data', metavar='data.yaml', help='train on the dataset of this Ultralytics data file, with YOLO label files')
    parser.add_argument('--imgsz', type=int, metavar='N', help='size of training and test images: img_scale = (N, N)')
    parser.add_argument('--epochs', type=int, metavar='N', help='number of epochs: max_epochs = N')
    parser.add_argument(
        '--batch', type=int, metavar='N', help='images per GPU and iteration: train_dataloader = dict(batch_size=N)')
    parser.add_argument('--weights', metavar='CKPT', help="checkpoint to start from: load_from = 'CKPT'")
    parser.add_argument('--amp', action='store_true', help='train in mixed precision (CUDA only)')
    parser.add_argument(
        '--auto-scale-lr', action='store_true',
        help="scale the learning rate up with the batch size above the config's auto_scale_lr.base_batch_size")
    parser.add_argument(
        '--resume', nargs='?', const='auto', metavar='CKPT',
        help='resume from this checkpoint, or without a value from the last one in the work folder')
    parser.add_argument(
        '--allow-partial-checkpoint', action='store_true',
        help='train even if the checkpoint in load_from matches less than a tenth of the model')
    parser.add_argument(
        '--cfg-options', nargs='+', metavar='KEY=VALUE',
        help='override settings of the config, for example train_dataloader.batch_size=8 or key="[a,b]"')
    parser.add_argument('--verbose', action='store_true', help='print the complete log; the log file always has it')
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm', 'mpi'), default='none', help='job launcher')
    # torch.distributed passes the one or the other, depending on its version
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = parse_args()

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmengine.dist import is_main_process
    from mmseam.analysis.check_config import check_config
    from mmseam.analysis.check_files import check_files
    from mmseam.apis import training as training_options
    from mmseam.apis.shorthands import expand_shorthands
    from mmseam.compat.safe_checkpoints import CheckpointFileError
    from mmseam.datasets.yolo_txt import YOLODataError
    from mmseam.engine.hooks.check_invalid_loss_hook import InvalidLossError
    from mmseam.engine.training import train
    from mmseam.engine.work_dir_lock import WorkDirInUseError
    from mmseam.utils.checkpoint_match import CheckpointMismatchError
    from mmseam.utils.config import ConfigError, load_config, set_launcher
    from mmseam.utils.interruption import exit_interrupted
    from mmseam.utils.loader_errors import LoaderError

    try:
        cfg = load_config(args.config, args.cfg_options, args.work_dir, expand_shorthands(args))
        if args.amp:
            training_options.enable_amp(cfg)
        if args.auto_scale_lr:
            training_options.enable_auto_scale_lr(cfg)
        training_options.set_resume(cfg, args.resume)
        training_options.set_checks(cfg, args.allow_partial_checkpoint)
        check_config(cfg)
        check_files(cfg, ('train', 'val'))
        set_launcher(cfg, args.launcher, args.local_rank)
        train(cfg, quiet=not args.verbose)
    except (CheckpointFileError, CheckpointMismatchError, ConfigError, InvalidLossError, LoaderError, OSError,
            WorkDirInUseError, YOLODataError) as error:
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt as interrupt:
        if is_main_process():
            exit_interrupted(interrupt)
        raise SystemExit(128 + getattr(interrupt, 'number', signal.SIGINT)) from None


if __name__ == '__main__':
    main()
