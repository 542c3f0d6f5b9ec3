"""Train with mmseam and with Ultralytics on the same faces from the same tensors, and score both in the same way.

    python benchmarks/recipe_parity.py DATA OUT --peer-python peer/bin/python --peer-path FOLDER
    python benchmarks/recipe_parity.py DATA OUT --optimizer auto --seeds 0 1 2 --imgsz 320 --head multiseam
    python benchmarks/recipe_parity.py DATA OUT --mosaic-cache 128

A YOLO11n with one class starts from the backbone, neck and box branch of ``weights/yolo11n-pose.pt`` and a newly
initialized class branch. The child config sets only data, classes, epochs, image size and batch size. The EMA weights
of both sides are tested with mmseam's pipeline and scored with pycocotools (score threshold 0.001, NMS at 0.7, 300
boxes per image); those of the peer are also tested by the peer itself. Ten epochs at 160 pixels take a few minutes on
a CPU core. Existing runs are not repeated; only one training runs at a time.

DATA contains ``masked_faces/`` (``images/``, ``annotations.json``) and ``weights/yolo11n-pose.pt``. The peer writes
the start tensors, so the first run of a head needs it.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from common import machine, write_json
from parity_data import child_config, optimizer_facts, score, use_wider_pipeline, write_split

FOLDER = Path(__file__).resolve().parent
TOOLS = FOLDER.parent / 'tools'
OURS, PEER = 'mmseam', 'peer'
PATHS = ('data', 'out', 'peer_python', 'peer_path', 'seeds')


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path)
    parser.add_argument('out', type=Path, help='folder for all runs')
    parser.add_argument('--peer-python', metavar='PATH', help='interpreter of an environment with ultralytics')
    parser.add_argument('--peer-path', metavar='FOLDER',
                        help='folder with ultralytics_multiseam.py and torchvision_stub.py')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--imgsz', type=int, default=160)
    parser.add_argument('--epochs', type=int, default=10)
    parser.add_argument('--batch', type=int, default=16, help='images per iteration of all processes (default: 16)')
    parser.add_argument('--processes', type=int, default=1, help="processes that share mmseam's batch (default: 1)")
    parser.add_argument('--optimizer', default='SGD', choices=['SGD', 'auto'])
    parser.add_argument('--head', default='plain', choices=['plain', 'multiseam'])
    parser.add_argument('--mosaic-cache', type=int, metavar='N',
                        help="train mmseam's side with the pipeline of the WIDER FACE configs, whose mosaics are drawn "
                        'from N images (0: from the complete dataset)')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads of each process (default: 1)')
    args = parser.parse_args()
    if args.mosaic_cache is not None and args.mosaic_cache < 0:
        parser.error('--mosaic-cache must not be negative')
    return args


# ======================== Runs ========================
def call(args, log: Path, *command, **env) -> None:
    """Run a command and append its output to a file.

    Raises:
        SystemExit: The command failed.
    """
    threads = dict(OMP_NUM_THREADS=str(args.threads), OMP_WAIT_POLICY='passive')
    with open(log, 'a') as file:
        process = subprocess.run(list(map(str, command)), stdout=file, stderr=subprocess.STDOUT, check=False,
                                 env={**os.environ, **threads, **env})
    if process.returncode:
        raise SystemExit(f'{command[1]} failed with exit code {process.returncode}; see {log}')


def call_peer(args, log: Path, action: str, out: Path, *options) -> None:
    """Run the peer's driver."""
    if not (args.peer_python and args.peer_path):
        raise SystemExit(f'{out} does not exist yet; --peer-python and --peer-path are needed to create it')
    env = dict(YOLO_VERBOSE='False', YOLO_OFFLINE='True', YOLO_CONFIG_DIR=tempfile.gettempdir())
    driver = FOLDER / 'peer' / 'training_driver.py'
    call(args, log, args.peer_python, driver, action, out, '--head', args.head, *options, PYTHONPATH=args.peer_path,
         **env)


def start_weights(args) -> Path:
    """Write the start tensors in the formats of both sides."""
    folder = args.out / f'start_{args.head}'
    if not (folder / 'start.pth').is_file():
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / 'log.txt'
        call_peer(args, log, 'start', folder, '--weights', args.data / 'weights' / 'yolo11n-pose.pt')
        call(args, log, sys.executable, TOOLS / 'model_converters' / 'ultralytics_to_mmseam.py', folder / 'start.pt',
             folder / 'start.pth')
    return folder


def run_peer(args, folder: Path, seed: int) -> dict:
    """Train with Ultralytics, with as many epochs without mosaic as ours; both sides score its weights."""
    for name in ('images', 'labels', 'val.json', 'start.pt'):
        source = start_weights(args) if name == 'start.pt' else args.out / 'data'
        if not (folder / name).exists():
            (folder / name).symlink_to((source / name).resolve())
    (folder / 'faces.yaml').write_text(f'path: {folder}\ntrain: images/train\nval: images/val\nnames: [face]\n')
    log, weights = folder / 'log.txt', folder / 'weights.pth'
    call_peer(args, log, 'train', folder, '--imgsz', args.imgsz, '--epochs', args.epochs, '--batch', args.batch,
              '--optimizer', args.optimizer, '--seed', seed, '--close-mosaic', min(10, args.epochs // 3))
    call(args, log, sys.executable, TOOLS / 'model_converters' / 'ultralytics_to_mmseam.py',
         folder / 'run' / 'weights' / 'last.pt', weights)
    own = score(args.out / 'data' / 'val.json', folder / 'detections.json')
    return dict(detect(args, folder, write_config(args, folder, seed), weights), by_peer=own)


def run_ours(args, folder: Path, seed: int) -> dict:
    """Train with mmseam's tools."""
    config = write_config(args, folder, seed)
    launch, option = [sys.executable], []
    if args.processes > 1:
        launch = [*launch, '-m', 'torch.distributed.run', '--nproc_per_node', args.processes, '--master_port', 29511]
        option = ['--launcher', 'pytorch']
    call(args, folder / 'log.txt', *launch, TOOLS / 'train.py', config, '--work-dir', folder, *option)
    weights = folder / f'epoch_{args.epochs}.pth'
    return dict(detect(args, folder, config, weights), optimizer=optimizer_facts(weights))


def write_config(args, folder: Path, seed: int) -> Path:
    """Write the child config."""
    cfg = child_config(
        args.head, args.out / 'data', args.data / 'masked_faces' / 'images', args.imgsz, args.epochs,
        args.batch // args.processes, seed, args.optimizer == 'auto')
    if args.mosaic_cache is not None:
        use_wider_pipeline(cfg, args.imgsz, args.mosaic_cache)
    cfg.load_from = str(start_weights(args) / 'start.pth')
    cfg.dump(str(folder / 'config.py'))
    return folder / 'config.py'


def detect(args, folder: Path, config: Path, weights: Path) -> dict:
    """Score weights with mmseam's test pipeline."""
    prefix = folder / 'by_mmseam'
    call(args, folder / 'log.txt', sys.executable, TOOLS / 'test.py', config, weights, '--work-dir', folder / 'test',
         '--cfg-options', f'test_evaluator.outfile_prefix={prefix}')
    return score(args.out / 'data' / 'val.json', Path(f'{prefix}.bbox.json'))


def result(args, side: str, seed: int) -> dict:
    """Return the AP of a run, which is executed if it does not exist."""
    name = f'{args.head}_{args.optimizer}_{args.imgsz}px_{args.epochs}e_b{args.batch}'
    if side == OURS and args.processes > 1:
        name += f'x{args.processes}'
    if side == OURS and args.mosaic_cache is not None:
        name += f'_cache{args.mosaic_cache}'
    folder = args.out / f'{name}_s{seed}' / side
    file = folder / 'result.json'
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        print(f'{folder} ...', file=sys.stderr)
        scores = (run_peer if side == PEER else run_ours)(args, folder, seed)
        settings = {key: value for key, value in vars(args).items() if key not in PATHS}
        write_json(str(file), dict(side=side, seed=seed, **scores, settings=settings, machine=machine()))
    return json.loads(file.read_text())


def print_table(args, rows: dict) -> None:
    """Print means and seeds of both sides, in percent."""
    cache = '' if args.mosaic_cache is None else f', mosaic cache {args.mosaic_cache}'
    print(f'\n{args.head}, {args.optimizer}, {args.imgsz} px, {args.epochs} epochs, batch {args.batch}{cache}')
    columns = {f'{side} {key}': [run[key] for run in results] for side, results in rows.items()
               for key in ('AP', 'AP50')}
    if PEER in rows:
        columns['peer AP, its own test'] = [run['by_peer']['AP'] for run in rows[PEER]]
    for name, values in columns.items():
        seeds = ' '.join(f'{100 * value:.1f}' for value in values)
        print(f'{name:<22} mean {100 * statistics.mean(values):.1f}   seeds {seeds}')
    if PEER in rows:
        difference = statistics.mean(columns[f'{OURS} AP']) - statistics.mean(columns[f'{PEER} AP'])
        print(f'mmseam - peer: {100 * difference:+.1f} AP')


def main():
    args = parse_args()
    args.data, args.out = args.data.resolve(), args.out.resolve()
    if not (args.out / 'data' / 'val.json').is_file():
        write_split(args.data, args.out / 'data')
    sides = [OURS, PEER] if args.peer_python else [OURS]
    print_table(args, {side: [result(args, side, seed) for seed in args.seeds] for side in sides})


if __name__ == '__main__':
    main()
