"""Compare training pipelines from files to batches: MMYOLO's transforms, mmseam's and the peer's.

All apply the same augmentations: mosaic, affine with scale .5 and translation .1, HSV, flip.

Example: python benchmarks/data_loading.py data/coco/annotations/instances_val2017.json data/coco/val2017
"""
import json
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from common import (
    Contender,
    benchmark_parser,
    compare,
    goal,
    machine,
    parse_benchmark_args,
    peer_contender,
    print_summary,
    summary,
    write_json,
)

CONFIG = Path(__file__).resolve().parents[1] / 'configs' / '_base_' / 'datasets' / 'wider_face_640.py'
HOST, OURS, PEER = 'mmyolo', 'mmseam', 'ultralytics'


def parse_args():
    parser = benchmark_parser(__doc__, rounds=5, repeats=1)
    parser.add_argument('annotations', help='COCO JSON with a hundred images or more')
    parser.add_argument('images', help='folder of the images')
    parser.add_argument('--imgsz', type=int, nargs='+', default=[640, 320], help='image sizes (default: 640 320)')
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 2], help='worker processes (default: 0 2)')
    parser.add_argument('--batch', type=int, default=16, help='batch size (default: %(default)s)')
    parser.add_argument('--number', type=int, default=128, help='images per run (default: %(default)s)')
    parser.add_argument('--copies', type=int, default=8,
                        help='copies of each image, so that none is still in memory (default: %(default)s)')
    parser.add_argument('--profile', action='store_true',
                        help='profile the first setting instead, and print where its time goes')
    return parse_benchmark_args(parser)


# ======================== Contenders ========================
def loader(folder, imgsz, workers, batch, number, pipeline):
    """Load COCO images with the training pipeline of the WIDER FACE config or of the host."""
    import cv2
    import torch
    from loader_data import loading_run
    from mmengine.config import Config
    from mmengine.registry import DefaultScope

    from mmseam.datasets import yolo_collate
    from mmseam.registry import DATASETS
    torch.set_num_threads(1)
    cv2.setNumThreads(0)  # as the configs do, and Ultralytics
    if pipeline == OURS:
        text = CONFIG.read_text(encoding='utf-8')
        steps = Config.fromstring(text.replace('(640, 640)  # width', f'({imgsz}, {imgsz})  # width'),
                                  '.py').train_pipeline
    else:
        steps = host_pipeline(imgsz)
    categories = json.loads(Path(folder, 'annotations.json').read_text())['categories']
    with DefaultScope.overwrite_default_scope('mmyolo'):
        dataset = DATASETS.build(dict(
            type='YOLOv5CocoDataset', data_root=folder, ann_file='annotations.json', data_prefix=dict(img='images/'),
            metainfo=dict(classes=tuple(category['name'] for category in categories)), pipeline=steps))
    return loading_run(dataset, yolo_collate, lambda data: data['inputs'], number, batch, workers)


def host_pipeline(imgsz):
    """Return the same augmentations as transforms of MMDetection and MMYOLO."""
    load = [dict(type='LoadImageFromFile', backend_args=None), dict(type='LoadAnnotations', with_bbox=True)]
    return [
        *load,
        dict(type='Mosaic', img_scale=(imgsz, imgsz), pad_val=114.0, pre_transform=load),
        dict(type='YOLOv5RandomAffine', max_rotate_degree=0.0, max_shear_degree=0.0, scaling_ratio_range=(0.5, 1.5),
             max_aspect_ratio=100, border=(-imgsz // 2, -imgsz // 2), border_val=(114, 114, 114)),
        dict(type='YOLOv5HSVRandomAug'),
        dict(type='mmdet.RandomFlip', prob=0.5),
        dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape'))
    ]


# ======================== Comparison ========================
def measure(args, folder):
    """Measure every setting and print its rows."""
    results = {}
    for imgsz in args.imgsz:
        for workers in args.workers:
            options = dict(folder=folder, imgsz=imgsz, workers=workers, batch=args.batch, number=args.number)
            contenders = [
                *(Contender(name, 'data_loading:loader', dict(options, pipeline=name)) for name in (HOST, OURS)),
                *peer_contender(args, PEER, 'data_loading_driver:peer_loader', options)
            ]
            comparison = compare(contenders, args.rounds, args.repeats, args.threads)
            title = f'{imgsz} x {imgsz}, {workers} workers'
            rows = summary(comparison, OURS, args.number)
            print_summary(f'{title}: {args.number} images', rows, OURS)
            for name, row in rows.items():
                if 'facts' in row:
                    row['cpu_ms'] = statistics.median(row['facts']['cpu_ms'])
                    print(f'{name}: {row["cpu_ms"]:.2f} ms of processor time per image, '
                          f'{row["facts"]["loader_mb"]:.0f} MB with workers')
            results[title] = rows
    return results


def show_goals(results):
    """Check the speed relative to both others in every setting."""
    goals = []
    for title, rows in results.items():
        for other, limit in ((HOST, 1), (PEER, 1.2)):
            ratio = rows.get(other, {}).get('ratio')
            goals.append(goal(f'{title}: images/s of {OURS} / {other}', ratio and ratio['median'], limit, False))
    return goals


def show_profile(options):
    """Print the functions of the pipeline by their own time."""
    import cProfile
    import pstats
    run, _ = loader(**options, pipeline=OURS)
    run()
    profile = cProfile.Profile()
    profile.runcall(run)
    pstats.Stats(profile).sort_stats('tottime').print_stats(25)


def main():
    args = parse_args()
    from loader_data import write_data
    with TemporaryDirectory() as folder:
        write_data(args.annotations, args.images, folder, args.copies)
        if args.profile:
            show_profile(dict(folder=folder, imgsz=args.imgsz[0], workers=0, batch=args.batch, number=args.number))
            return
        results = measure(args, folder)
    write_json(args.out, dict(machine=machine(), options=vars(args), results=results, goals=show_goals(results)))


if __name__ == '__main__':
    sys.exit(main())
