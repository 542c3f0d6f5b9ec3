"""Train YOLO11n-MultiSEAM from scratch on drawn, partly occluded faces in minutes on a CPU, and show the results."""
import argparse
import os
import time

NEXT = """Next:
  look at {out}/predictions.jpg and {out}/learning_curve.png
  train the same network without attention, to compare:
    mmseam train {config} --work-dir work_dirs/plain \\
      --cfg-options model.bbox_head.head_module.type=mmseam.YOLO11HeadModule
  predict on your own images:
    mmseam predict IMAGES {config} {out}/epoch_{epochs}.pth --out-dir results/mine
  train on WIDER FACE: README.md, "Train on your data"
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--data-root', default='data/toy_faces',
        help='folder of the drawn faces, created if missing (default: %(default)s)')
    parser.add_argument('--out-dir', default='results/quickstart', help='folder for the results (default: %(default)s)')
    return parser.parse_args()


def print_metrics(metrics: dict) -> None:
    from rich.console import Console
    from rich.table import Table
    table = Table(title='YOLO11n-MultiSEAM on drawn faces, from scratch')
    for column, justify in (('faces', 'left'), ('protocol', 'left'), ('AP', 'right')):
        table.add_column(column, justify=justify)
    table.add_row('all', 'COCO, IoU 0.5', f'{100 * metrics["coco/bbox_mAP_50"]:.1f}')
    table.add_row('all', 'COCO, IoU 0.5 to 0.95', f'{100 * metrics["coco/bbox_mAP"]:.1f}')
    for name, value in metrics.items():
        if name.startswith('wider_face/'):
            table.add_row(name.split('/')[1], 'WIDER FACE', f'{value:.1f}')
    Console().print(table)


def main() -> None:
    args = parse_args()
    start = time.time()
    # With long spinning, waiting threads slow down a training severely if another program runs; without any spinning,
    # it is slower if no other program runs.
    os.environ.setdefault('GOMP_SPINCOUNT', '20000')

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.apis.toy_training import CONFIG, quickstart
    from mmseam.engine.hooks.check_invalid_loss_hook import InvalidLossError
    from mmseam.engine.work_dir_lock import WorkDirInUseError
    from mmseam.utils.interruption import exit_interrupted
    from mmseam.utils.loader_errors import LoaderError

    try:
        metrics = quickstart(args.data_root, args.out_dir)
    except (InvalidLossError, LoaderError, OSError, ValueError, WorkDirInUseError) as error:
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt as interrupt:
        exit_interrupted(interrupt)
    print_metrics(metrics)
    print(f'It took {(time.time() - start) / 60:.1f} minutes. The results are in {args.out_dir}/:\n'
          '  metrics.json, learning_curve.csv, learning_curve.png, predictions/, predictions.jpg, checkpoints, log')
    print(NEXT.format(out=args.out_dir, config=CONFIG, epochs=CONFIG.split('-')[1].split('e_')[0]))


if __name__ == '__main__':
    main()
