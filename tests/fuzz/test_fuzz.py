"""Every reader of files from strangers ends in its documented error, quickly and in little memory (``make fuzz``)."""
import json
import subprocess
import sys
from pathlib import Path

import pytest

INPUTS = 250
TARGETS = (
    'annotation text', 'coco annotations', 'coco image names', 'result text', 'coco results', 'mmengine json',
    'zip of results', 'tar of results', 'mat of faces', 'mat of a keep-list', 'jpeg header', 'image', 'index cache',
    'image cache', 'toy manifest', 'results pickle', 'ultralytics pt', 'mmengine pth',
    'exported metadata', 'boxes of a coco file', 'yolo data file', 'yolo labels', 'yolo image list', 'pascal voc',
    'config text')
RUNNER = str(Path(__file__).with_name('runner.py'))


@pytest.fixture(scope='module')
def rows(tmp_path_factory):
    """Outcome of a short run that is the same every time, by target."""
    folder = tmp_path_factory.mktemp('fuzz')
    subprocess.run([sys.executable, RUNNER, '--inputs', str(INPUTS), '--out', str(folder / 'failures'), '--json',
                    str(folder / 'table.json')], stdout=subprocess.DEVNULL, timeout=900, check=False)
    return {row['target']: row for row in json.loads((folder / 'table.json').read_text())}


def test_every_target_is_listed(rows):
    assert sorted(rows) == sorted(TARGETS)


@pytest.mark.parametrize('target', TARGETS)
def test_only_documented_errors(rows, target):
    row = rows[target]
    assert not row['problem'], row['problem']
    assert row['inputs'] >= INPUTS and row['outcomes']['read'] > 0


BROKEN_TARGETS = """
import os, sys, time
sys.path.insert(0, {folder!r})
import runner
from target import Target

def hang(path):
    if path.read_bytes() != b'good':
        while True:
            pass

def fill(path):
    if path.read_bytes() != b'good':
        bytearray(2**31)

def crash(path):
    if path.read_bytes() != b'good':
        os.abort()

def escape(path):
    if path.read_bytes() != b'good':
        raise KeyError('x')

runner.MAX_SECONDS = 1
runner.all_targets = lambda: [Target(read.__name__, [b'good'], read) for read in (hang, fill, crash, escape)]
sys.exit(runner.main(['--inputs', '50', '--out', {out!r}, '--json', {table!r}]))
"""


def test_what_goes_wrong_is_noticed_and_the_input_kept(tmp_path):
    names = dict(folder=Path(RUNNER).parent, out=tmp_path / 'out', table=tmp_path / 't.json')
    code = BROKEN_TARGETS.format(**{name: str(path) for name, path in names.items()})
    done = subprocess.run([sys.executable, '-c', code], stdout=subprocess.DEVNULL, timeout=300, check=False)
    assert done.returncode == 1
    problems = {row['target']: row['problem'] for row in json.loads((tmp_path / 't.json').read_text())}
    for target, problem in dict(hang='SIGPROF', fill='MemoryError', crash='SIGABRT', escape="KeyError: 'x'").items():
        assert problem in problems[target]
        assert (tmp_path / 'out' / f'{target}.input').read_bytes() != b'good'
