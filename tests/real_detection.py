"""Run tools/test.py with converted weights on real images, for the tests that need its outputs."""
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHILD = """
_base_ = '{base}'

data_root = '{data_root}/'
test_dataloader = dict(
    num_workers=0, persistent_workers=False, pin_memory=False, dataset=dict(data_root=data_root, {dataset}))
{more}
"""


def run(*command, timeout=900) -> str:
    """Run a command on one core; return what it wrote to both streams."""
    process = subprocess.run([sys.executable, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, timeout=timeout, check=False, env=dict(os.environ, OMP_NUM_THREADS='1'))
    assert process.returncode == 0, process.stdout
    return process.stdout


def convert(source: Path, folder: Path) -> Path:
    """Convert an Ultralytics checkpoint with the tool."""
    target = folder / f'{source.stem}.pth'
    run(ROOT / 'tools' / 'model_converters' / 'ultralytics_to_mmseam.py', source, target)
    return target


def write_config(path: Path, base: str, data_root: Path, dataset: str, more: str = '') -> Path:
    """Write a child config.

    Args:
        path (Path): The config to write.
        base (str): A config below ``configs/``.
        data_root (Path): Folder of the dataset.
        dataset (str): Further arguments of the dataset.
        more (str): Further lines. Defaults to ''.

    Returns:
        Path: The config.
    """
    path.write_text(CHILD.format(base=ROOT / 'configs' / base, data_root=data_root, dataset=dataset, more=more))
    return path


def run_test(config: Path, checkpoint: Path, work_dir: Path, *options, processes: int = 1) -> dict:
    """Run tools/test.py, with several processes as tools/dist_test.sh does; return the metrics it logged."""
    launch = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={processes}'] if processes > 1 else []
    launcher = ['--launcher', 'pytorch'] if processes > 1 else []
    run(*launch, ROOT / 'tools' / 'test.py', config, checkpoint, '--work-dir', work_dir, *launcher, *options)
    log, = work_dir.glob('*/*.json')
    return json.loads(log.read_text())
