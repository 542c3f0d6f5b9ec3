"""Train YOLO11n-MultiSEAM on drawn, partly covered faces from scratch, in minutes on a CPU, and show the result."""
import argparse
import os
import time

NEXT = """Next:
  look at {out}/predictions.jpg and {out}/learning_curve.png
  the same net without attention, to compare:
    python tools/train.py {config} --work-dir work_dirs/plain \\
      --cfg-options model.bbox_head.head_module.type=mmseam.YOLO11HeadModule
  predict on pictures of your own:
    python tools/predict.py PICTURES {config} {out}/epoch_{epochs}.pth --out-dir results/mine
  train on WIDER FACE: README.md, "Train on your data"
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--data-root', default='data/toy_faces', help='folder of the drawn faces (default: %(default)s)')
    parser.add_argument('--out-dir', default='results/quickstart', help='folder of the results (default: %(default)s)')
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
    # Threads that spin for long while they wait for each other make a training many times slower where another program
    # runs; threads that do not spin at all make it slower where none does.
    os.environ.setdefault('GOMP_SPINCOUNT', '20000')

    import mmseam  # noqa: F401, I001  (before any host package)
    from mmseam.apis.toy_training import CONFIG, quickstart

    metrics = quickstart(args.data_root, args.out_dir)
    print_metrics(metrics)
    print(f'All of it took {(time.time() - start) / 60:.1f} minutes. The results are in {args.out_dir}/:\n'
          '  metrics.json, learning_curve.csv, learning_curve.png, predictions/, predictions.jpg, checkpoints, log')
    print(NEXT.format(out=args.out_dir, config=CONFIG, epochs=CONFIG.split('-')[1].split('e_')[0]))


if __name__ == '__main__':
    main()
