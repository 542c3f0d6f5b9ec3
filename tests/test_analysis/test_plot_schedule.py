"""`tools/analysis_tools/plot_schedule.py`: the schedule of a config beside a recorded one."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
COCO, TOY = 'yolo11_n_syncbn_fast_8xb16-500e_coco', 'yolo11_n_multiseam_fast_1xb8-8e_toyfaces'
RECORDED = ROOT / 'tests' / 'test_engine' / 'ultralytics_schedules.json'


def plot(*arguments):
    tool = ROOT / 'tools' / 'analysis_tools' / 'plot_schedule.py'
    return subprocess.run([sys.executable, str(tool), *map(str, arguments)], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=300, env=dict(os.environ, OMP_NUM_THREADS='1'), check=False)


@pytest.fixture
def recorded(tmp_path):
    """Ultralytics' schedule of 600 images in batches of 16 for 10 epochs."""
    file = tmp_path / 'recorded.json'
    file.write_text(json.dumps(json.loads(RECORDED.read_text())[0]))
    return file


@pytest.mark.parametrize('epochs, equal', [(10, True), (11, False)])
def test_schedules_are_drawn_and_compared(recorded, epochs, equal):
    picture = recorded.with_suffix('.png')
    process = plot(COCO, picture, '--num-images', 600, '--num-processes', 1, '--other', recorded, '--cfg-options',
                   f'train_cfg.max_epochs={epochs}')
    if not equal:
        assert process.returncode == 1 and 'error: the schedules have 418 and 380 iterations' in process.stdout
        assert not picture.exists()
        return
    assert process.returncode == 0, process.stdout
    differences = re.findall(r'largest difference of (\w+): (\S+)', process.stdout)
    assert [name for name, _ in differences] == ['rates', 'momentum', 'accumulation', 'stepped']
    assert all(float(value) < 1e-12 for _, value in differences)
    assert 'SGD, 380 iterations, 121 optimizer steps' in process.stdout
    assert cv2.imread(str(picture)).std() > 10


def test_what_has_no_such_schedule_is_named(tmp_path):
    process = plot(TOY, tmp_path / 'toy.png', '--num-images', 100)
    assert process.returncode == 1
    assert 'error: default_hooks.param_scheduler is ParamSchedulerHook' in process.stdout.splitlines()[-1]
    other = tmp_path / 'other.json'
    other.write_text('{"settings": [[1, 2]]}')
    process = plot(COCO, tmp_path / 'coco.png', '--num-images', 100, '--other', other)
    assert process.returncode == 1 and f'error: {other}: not a schedule' in process.stdout.splitlines()[-1]
