"""Tests of the scripts in benchmarks/: they run, and their figures are consistent."""
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmseam.utils.config import load_config

FOLDER = Path(__file__).resolve().parent.parent / 'benchmarks'
SCRIPTS = ('forward.py', 'prediction.py', 'startup.py', 'training_step.py')
CONTENDER = """
def noisy(value):
    import os
    print('noise of a library')
    os.write(1, b'noise of its C code')
    return (lambda: None), dict(value=value)

def fails_at_once():
    raise ValueError('no such engine')

def fails_when_run():
    return (lambda: 1 / 0), {}

def fails_later(calls=[]):
    return (lambda: calls.append(0) or 1 / (4 - len(calls))), {}
"""


@pytest.fixture
def common(monkeypatch):
    """Import the module as the scripts do."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module('common')


def run(script, *options, out=None):
    """Run a script on one core; return its JSON file, or its output without one."""
    out_options = ['--out', str(out)] if out else []
    process = subprocess.run([sys.executable, str(FOLDER / script), *map(str, options), *out_options], timeout=600,
                             env=dict(os.environ, OMP_NUM_THREADS='1'), text=True, check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.returncode == 0, process.stdout
    return json.loads(out.read_text()) if out else process.stdout


def check_rows(rows, images, reference):
    """Check that the figures of a table are consistent."""
    for row in rows.values():
        assert row['ms'] > 0 and row['facts']['peak_mb'] > 10 and row['facts']['threads'] == 1
        assert row['per_second'] == pytest.approx(1000 * images / row['ms'])
        assert row['ratio']['min'] <= row['ratio']['median'] <= row['ratio']['max']
    assert rows[reference]['ratio'] == dict(median=1, min=1, max=1)


class TestCommon:

    @pytest.fixture
    def contender(self, common, tmp_path):
        (tmp_path / 'tried_contender.py').write_text(CONTENDER)

        def make(name, **arguments):
            return common.Contender(name, f'tried_contender:{name}', arguments, path=(str(tmp_path),))

        return make

    def test_ratio_is_of_the_rounds(self, common):
        # The machine slows down tenfold between the rounds; the ratio does not notice.
        comparison = common.Comparison(dict(a=[[2, 2, 9], [20, 20, 20]], b=[[1, 1, 1], [10, 10, 10]]), {}, {})
        assert comparison.ratio('a', 'b') == dict(median=2, min=2, max=2)
        assert comparison.ratio('a', 'absent') is None
        assert comparison.median('b') == 5.5

    def test_turns_alternate(self, common, monkeypatch):
        monkeypatch.setattr(common, 'PAUSE', 0)
        turns = []
        measures = {name: lambda repeats, name=name: turns.append(name) or [1.] * repeats for name in 'ABC'}
        assert common.take_turns(measures, 2, 3)['A'] == [[1, 1, 1], [1, 1, 1]]
        assert ''.join(turns) == 'ABCABC'

    def test_worker_answers_through_noise(self, common, contender):
        worker = common.Worker(contender('noisy', value=7), threads=1)
        times, facts = worker.run(3), worker.facts()
        process = worker._process
        worker.close()
        assert len(times) == 3 and all(0 <= seconds < 1 for seconds in times)
        assert facts['value'] == 7 and facts['threads'] == 1 and facts['torch'] == 'not imported'
        # Memory of this process, which has imported PyTorch, is not counted
        assert 1 < facts['peak_mb'] < 60
        assert process.returncode == 0

    def test_failures_are_reported_and_left_out(self, common, contender):
        names = ('fails_at_once', 'noisy', 'fails_when_run')
        contenders = [contender(name, **(dict(value=0) if name == 'noisy' else {})) for name in names]
        comparison = common.compare(contenders, rounds=2, repeats=2, threads=1)
        assert list(comparison.seconds) == ['noisy'] and np.shape(comparison.seconds['noisy']) == (2, 2)
        assert 'ValueError: no such engine' in comparison.failed['fails_at_once']
        assert 'ZeroDivisionError' in comparison.failed['fails_when_run']
        rows = common.summary(comparison, 'noisy')
        assert rows['fails_at_once']['failed'] == comparison.failed['fails_at_once']
        common.print_summary('title', rows, 'noisy')

    def test_failure_in_a_turn_ends_the_comparison(self, common, contender):
        with pytest.raises(common.ContenderError, match='fails_later: ZeroDivisionError'):
            common.compare([contender('fails_later')], rounds=3, repeats=2, threads=1)

    @pytest.mark.parametrize('value, at_most, met', [(.7, True, True), (.9, True, False), (.9, False, True),
                                                     (.8, True, True), (None, True, None)])
    def test_goal(self, common, capsys, value, at_most, met):
        assert common.goal('ratio', value, 0.8, at_most)['met'] is met
        assert capsys.readouterr().out.endswith({True: 'yes\n', False: 'NO\n', None: '-\n'}[met])


@pytest.mark.parametrize('script', SCRIPTS)
def test_help_imports_no_torch(script):
    command = [sys.executable, '-X', 'importtime', str(FOLDER / script), '--help']
    process = subprocess.run(command, check=True, text=True, capture_output=True)
    assert '--peer-python' in process.stdout
    assert not {'torch', 'mmengine', 'numpy'} & {line.split('|')[-1].strip() for line in process.stderr.splitlines()}


def test_peer_needs_both_options(tmp_path):
    process = subprocess.run([sys.executable, str(FOLDER / 'startup.py'), '--peer-path', str(tmp_path)], check=False,
                             text=True, stderr=subprocess.PIPE)
    assert process.returncode == 2 and '--peer-python and --peer-path must be given together' in process.stderr


def test_forward(tmp_path):
    found = run('forward.py', '--heads', 'multiseam', '--forms', 'eager', 'deploy', '--imgsz', 64, '--batch', 2,
                '--rounds', 2, '--repeats', 1, out=tmp_path / 'forward.json')
    network, = found['networks']
    rows = network['contenders']
    assert list(rows) == ['eager', 'deploy', 'matrix product'] and network['reference'] == 'eager'
    check_rows(rows, 2, 'eager')
    assert network['limit_ms'] == pytest.approx(1e3 * network['gflops'] / network['gflop_per_second'])
    # 7.3 GFLOPs at 640 with 80 classes; two images of a hundredth of its pixels
    assert 0.1 < network['gflops'] < 0.15
    assert network['attention_overhead'] is None
    assert [goal['met'] for goal in found['goals']] == [None, None, None]


@pytest.mark.slow
def test_training_step(tmp_path):
    found = run('training_step.py', '--imgsz', 64, '--batch', 2, '--rounds', 1, '--repeats', 1, '--boxes', 3,
                out=tmp_path / 'step.json')
    rows = found['contenders']
    check_rows(rows, 2, 'as configured')
    # The same batch and weights: the loss tells that all forms do the same work
    losses = [row['facts']['loss'] for row in rows.values()]
    assert len(losses) == 3 and losses[0] > 0 and losses[1:] == pytest.approx(2 * losses[:1], rel=1e-3)


def test_startup(tmp_path, repo):
    found = run('startup.py', '--rounds', 1, '--tools', repo / 'tools' / 'train.py', out=tmp_path / 'startup.json')
    starts = found['starts']
    assert starts['train.py']['imports_torch'] is False
    assert starts['bare interpreter']['over_bare_ms'] == 0
    assert starts['train.py']['over_bare_ms'] < starts['import mmseam, mmengine']['over_bare_ms']
    assert starts['mmseam --help']['over_bare_ms'] < starts['import mmseam, mmengine']['over_bare_ms']
    assert [goal['met'] for goal in found['goals']][::2] == [None, True]


@pytest.mark.slow
def test_forward_of_exported_network(tmp_path):
    found = run('forward.py', '--heads', 'multiseam', '--forms', 'onnxruntime', 'openvino', '--imgsz', 64,
                '--rounds', 1, '--repeats', 1, out=tmp_path / 'forward.json')
    network, = found['networks']
    check_rows(network['contenders'], 1, 'onnxruntime')
    assert network['attention_overhead']['median'] > 0
    assert network['contenders']['onnxruntime']['facts']['torch'] == 'not imported'
    assert [goal['met'] for goal in found['goals']][0] is None


@pytest.mark.slow
def test_prediction(tmp_path):
    images = tmp_path / 'images'
    images.mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        picture = cv2.resize(rng.integers(0, 256, (30, 40, 3), np.uint8), (320, 240))
        cv2.imwrite(str(images / f'{number}.jpg'), picture)
    found = run('prediction.py', images, '--rounds', 1, out=tmp_path / 'prediction.json')
    rows = found['contenders']
    check_rows(rows, 2, 'PyTorch')
    facts = {name: row['facts'] for name, row in rows.items()}
    assert facts['PyTorch']['boxes_per_image'] > 0
    # Weights, resizing and thresholds are the same in both engines
    assert facts['ONNX']['boxes_per_image'] == pytest.approx(facts['PyTorch']['boxes_per_image'], abs=1)
    assert sum(facts['PyTorch']['stages_ms'].values()) > facts['PyTorch']['stages_ms']['forward'] > 0


def test_parity_compares_the_shipped_recipe_on_one_split(tmp_path, test_data, monkeypatch):
    """The child changes data, classes, lengths and sizes; both sides get the same images and boxes."""
    monkeypatch.syspath_prepend(str(FOLDER))
    data = importlib.import_module('parity_data')
    data.write_split(test_data, tmp_path)
    cfg = data.child_config('plain', tmp_path, test_data / 'masked_faces' / 'images', 160, 10, 16, 0, False)
    shipped = load_config(data.CONFIGS['plain'])
    for key in ('optim_wrapper', 'custom_hooks', 'auto_scale_lr', 'param_scheduler'):
        assert cfg.get(key) == shipped.get(key)
    assert cfg.default_hooks.param_scheduler == shipped.default_hooks.param_scheduler
    assert cfg.model.test_cfg == shipped.model.test_cfg and '640' not in cfg.pretty_text
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    assert len(loader.dataset) == 600 and next(iter(loader))['inputs'].shape == (16, 3, 160, 160)
    rows = [line for file in (tmp_path / 'labels').rglob('*.txt') for line in file.read_text().splitlines()]
    boxes = sum(len(json.loads((tmp_path / f'{part}.json').read_text())['annotations']) for part in ('train', 'val'))
    assert len(list((tmp_path / 'images' / 'val').iterdir())) == 97 and len(rows) == boxes == 1460
