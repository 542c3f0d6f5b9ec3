"""The tools when they are interrupted or lose a process, an image or their disk, and in several processes."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import mmengine
import pytest
import torch
from full_disk import small_files
from mmengine.registry import DefaultScope
from tiny_training import write_tiny_training
from tool_processes import HANGS, ROOT, children, interrupt_tool, run_tool
from wider_face_files import truncate

from mmseam.registry import MODELS
from mmseam.utils.config import load_config

BASE = ROOT / 'configs/yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py'
TEST = [sys.executable, ROOT / 'tools' / 'test.py']
TRAIN = [sys.executable, ROOT / 'tools' / 'train.py']
NUM_IMAGES = 400  # for some seconds


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> Path:
    return write_tiny_training(tmp_path_factory.mktemp('faults'), BASE, NUM_IMAGES)


@pytest.fixture(scope='module')
def checkpoint(config) -> Path:
    """Weights that find a box of 16 x 16 pixels everywhere, among others."""
    torch.manual_seed(0)
    cfg = load_config(str(config))
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        detector = MODELS.build(cfg.model)
    head = detector.bbox_head.head_module
    for class_branch, box_branch in zip(head.cls_preds, head.reg_preds):
        torch.nn.init.zeros_(class_branch[-1].bias)
        torch.nn.init.constant_(box_branch[-1].bias.view(4, -1)[:, 1], 9)
    torch.save(dict(state_dict=detector.state_dict(), meta={}), config.parent / 'random.pth')
    return config.parent / 'random.pth'


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return str(listener.getsockname()[1])


def drawn_images(work_dir: Path) -> list:
    return list(work_dir.glob('*/drawn/*.jpg'))


@pytest.mark.parametrize('number,workers', [(signal.SIGINT, 0), (signal.SIGTERM, 2)])
def test_an_interrupted_test_keeps_its_results(config, checkpoint, tmp_path, number, workers):
    """The signal reaches the loading processes too, as Ctrl-C and Slurm send it."""
    code, text = interrupt_tool(
        lambda process: os.killpg(process.pid, number), lambda: drawn_images(tmp_path / 'work'), *TEST, config,
        checkpoint, '--work-dir', tmp_path / 'work', '--out', tmp_path / 'found.pkl', '--show-dir', 'drawn',
        '--cfg-options', f'test_evaluator.0.submission_dir={tmp_path}/submission',
        f'test_dataloader.num_workers={workers}')
    assert code == 128 + number, text
    found = mmengine.load(tmp_path / 'found.partial.pkl')
    assert 0 < len(found) < NUM_IMAGES
    done = re.fullmatch(rf'interrupted by {number.name}; (\d+) of {NUM_IMAGES} batches are done; kept: '
                        rf'{tmp_path}/submission.partial, {tmp_path}/found.partial.pkl', text.splitlines()[-1])
    files = len(list((tmp_path / 'submission.partial').rglob('*.txt')))
    counts = {len(found), files, len(drawn_images(tmp_path / 'work')), int(done[1])}
    # The end of a loading process may be noticed amid a batch
    assert len(counts) == 1 or workers and max(counts) - min(counts) == 1
    assert {path.name for path in tmp_path.iterdir()} == {'work', 'found.partial.pkl', 'submission.partial'}


def test_an_interrupted_test_keeps_its_coco_json(config, checkpoint, tmp_path):
    code, text = interrupt_tool(
        lambda process: process.send_signal(signal.SIGTERM), lambda: drawn_images(tmp_path / 'work'), *TEST, config,
        checkpoint, '--work-dir', tmp_path / 'work', '--json-prefix', tmp_path / 'found', '--show-dir', 'drawn')
    assert code == 143, text
    images = {box['image_id'] for box in json.loads((tmp_path / 'found.partial.bbox.json').read_text())}
    assert len(images) == len(drawn_images(tmp_path / 'work'))
    assert {path.name for path in tmp_path.iterdir()} == {'work', 'found.partial.bbox.json', 'found.partial.gt.json'}


def test_a_test_on_a_full_disk_leaves_the_earlier_results(config, checkpoint, tmp_path):
    (tmp_path / 'found.bbox.json').write_text('the earlier one')
    with small_files(100_000):
        text = run_tool('test.py', config, checkpoint, '--work-dir', tmp_path / 'work', '--json-prefix',
                        tmp_path / 'found', succeeds=False)
    message = rf'error: file size limit reached while writing {tmp_path}/found\.\w+\.json: raise it \(ulimit -f\)'
    assert re.match(message, text.splitlines()[-1])
    assert (tmp_path / 'found.bbox.json').read_text() == 'the earlier one'
    assert {path.name for path in tmp_path.iterdir()} == {'work', 'found.bbox.json'}


@pytest.mark.parametrize('spoil,reason,workers', [(truncate, 'truncated', 0), (os.remove, 'No such file', 1)])
def test_a_test_names_an_image_that_becomes_unreadable(config, checkpoint, tmp_path, spoil, reason, workers):
    image = config.parent / 'data' / 'WIDER_val' / 'images' / '0--Noise' / 'noise_20.jpg'
    content = image.read_bytes()
    try:
        code, text = interrupt_tool(
            lambda _: spoil(image), lambda: drawn_images(tmp_path), *TEST, config, checkpoint, '--work-dir', tmp_path,
            '--show-dir', 'drawn', '--cfg-options', f'test_dataloader.num_workers={workers}')
    finally:
        image.write_bytes(content)
    last = text.splitlines()[-1]
    assert code == 1 and last.startswith('error: ') and str(image) in last and reason in last, text
    assert 'Traceback' not in text


@pytest.mark.parametrize('tool', ['test', 'train'])
def test_a_killed_loading_process_ends_the_tool_with_advice(config, checkpoint, tmp_path, tool):
    killed = []

    def kill_a_loader(process):
        while not children(process.pid):  # a training starts them anew for each epoch
            assert process.poll() is None
        killed.append(children(process.pid)[0])
        os.kill(killed[0], signal.SIGKILL)

    def is_at_work():
        return drawn_images(tmp_path) if tool == 'test' else any(
            'Epoch(train)' in log.read_text() for log in tmp_path.rglob('*.log'))

    command = [*TEST, config, checkpoint, '--show-dir', 'drawn'] if tool == 'test' else [*TRAIN, config]
    code, text = interrupt_tool(
        kill_a_loader, is_at_work, *command, '--work-dir', tmp_path, '--cfg-options',
        f'{tool}_dataloader.num_workers=2', 'train_cfg.max_epochs=20')
    assert code == 1
    # A pipe that closes may let Python add a line of its own at the end
    error, = [line for line in text.splitlines() if line.startswith('error: ')]
    # PyTorch names the signal if its handler for stopped children runs before a read from the worker fails
    start, _, how = error.partition(f' (pid {killed[0]}) ')
    assert start == 'error: a data loader worker'
    assert how.startswith(('is killed by signal: Killed; ', 'exited unexpectedly; '))
    assert 'lower num_workers' in error and 'Traceback' not in text


def read_metrics(work_dir: Path) -> dict:
    file, = work_dir.glob('*/*.json')
    return {name: value for name, value in json.loads(file.read_text()).items() if '/' in name}


def test_two_processes_measure_what_one_does(config, checkpoint, tmp_path):
    """To the last digit, with an odd number of images, of which one is given to both processes."""
    options = ['--cfg-options', 'test_dataloader.dataset.indices=7']
    run_tool('test.py', config, checkpoint, '--work-dir', tmp_path / 'one', *options)
    command = [ROOT / 'tools' / 'dist_test.sh', config, checkpoint, 2, '--work-dir', tmp_path / 'two', *options]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=HANGS,
                   env=dict(os.environ, PYTHON=sys.executable, PORT=free_port(), OMP_NUM_THREADS='1'))
    one, two = read_metrics(tmp_path / 'one'), read_metrics(tmp_path / 'two')
    assert one == two
    assert {'wider_face/occlusion=heavy', 'wider_face/derived_hard', 'coco/bbox_mAP'} < set(one)
    assert all(one[name] > 0 for name in ('wider_face/occlusion=heavy', 'wider_face/derived_hard', 'coco/bbox_mAP'))


@pytest.mark.parametrize('number,reason', [(signal.SIGKILL, 'Signal 9 (SIGKILL)'), (signal.SIGSTOP, 'Timed out')],
                         ids=['dies', 'hangs'])
def test_a_rank_that_dies_or_hangs_ends_the_training(config, tmp_path, number, reason):
    work_dir, ranks = tmp_path / 'work', []

    def hit_a_rank(process):
        ranks.extend(children(process.pid))
        os.kill(ranks[-1], number)

    code, text = interrupt_tool(
        hit_a_rank, lambda: any('loss' in log.read_text() for log in work_dir.rglob('*.log')),
        ROOT / 'tools' / 'dist_train.sh', config, 2, '--work-dir', work_dir, '--cfg-options',
        'env_cfg.dist_cfg.timeout=20', PYTHON=sys.executable, PORT=free_port())
    assert code == 1, text
    assert len(ranks) == 2 and reason in text
    assert not [rank for rank in ranks if Path(f'/proc/{rank}').exists()]
