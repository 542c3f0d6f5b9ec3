"""Tables, files, pictures, and the command that writes them."""
import csv
import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mmseam.evaluation.functional import WIDERFaceResult
from mmseam.evaluation.functional.wider_face.plots import plot_precision_recall, plot_slices
from mmseam.evaluation.functional.wider_face.report import (
    compare,
    comparison_table,
    results_table,
    summarize,
    write_csv,
    write_json,
)

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'eval_wider_face.py'


def result(ap, faces=1234):
    recall = np.linspace(0, 1, 50)
    return WIDERFaceResult(ap, recall, 1 - recall**3, 1 - recall, faces)


RESULTS = {'plain [v1]': {'easy': result(.8), 'empty': result(float('nan'), 0)},
           'seam': {'easy': result(.85), 'empty': result(float('nan'), 0)}}
SAMPLES = {name: {'easy': by['easy'].ap + np.linspace(-.02, .02, 101), 'empty': np.full(101, np.nan)}
           for name, by in RESULTS.items()}
ROWS = [row for name in RESULTS for row in summarize(name, RESULTS[name], SAMPLES[name])]


def rendered(table):
    console = Console(width=110, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_table_shows_faces_ap_and_interval():
    text = rendered(results_table(ROWS))
    line = next(line for line in text.splitlines() if 'easy' in line)
    assert line.split('  ')[1].strip() == 'easy' and '1,234' in line
    assert '80.00 [78.1, 81.9]' in line and '85.00 [83.1, 86.9]' in line
    assert 'plain [v1]' in text
    assert '–' in next(line for line in text.splitlines() if 'empty' in line)
    plain = rendered(results_table(summarize('seam', RESULTS['seam'])))
    assert '85.00' in plain and '[' not in plain


def test_comparison():
    comparisons = compare(RESULTS, SAMPLES, ['plain [v1]', 'seam'])
    assert [(c.baseline, c.method, c.subset) for c in comparisons] == [('plain [v1]', 'seam', 'easy'),
                                                                      ('plain [v1]', 'seam', 'empty')]
    assert comparisons[0].difference == pytest.approx(.05)
    assert '+5.00' in rendered(comparison_table(comparisons))


def test_files_are_valid_and_complete(tmp_path):
    write_json(tmp_path / 'new' / 'r.json', ROWS, RESULTS, compare(RESULTS, SAMPLES, ['plain [v1]', 'seam']))
    content = json.loads((tmp_path / 'new' / 'r.json').read_text())
    assert content['results'][0]['ap'] == .8 and content['results'][1]['ap'] is None
    assert content['comparisons'][0]['difference'] == pytest.approx(.05)
    np.testing.assert_allclose(content['curves']['seam']['easy']['precision'], RESULTS['seam']['easy'].precision,
                               atol=1e-6)
    write_csv(tmp_path / 'r.csv', ROWS)
    with open(tmp_path / 'r.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['subset'] for row in rows] == ['easy', 'empty'] * 2 and float(rows[2]['low']) == ROWS[2].low
    assert sorted(os.listdir(tmp_path)) == ['new', 'r.csv'] and os.listdir(tmp_path / 'new') == ['r.json']


def test_pictures(tmp_path):
    import cv2
    plot_precision_recall({name: by['easy'] for name, by in RESULTS.items()}, tmp_path / 'a' / 'pr.png', 'easy')
    plot_slices(ROWS, tmp_path / 'a' / 'slices.png')
    plot_slices(summarize('seam', RESULTS['seam']), tmp_path / 'a' / 'plain.png')
    for name in ('pr', 'slices', 'plain'):
        picture = cv2.imread(str(tmp_path / 'a' / f'{name}.png'))
        # Blue of the first method and white paper are both there.
        assert (picture == (178, 114, 0)).all(axis=2).any() and (picture == 255).all(axis=2).mean() > .3
    assert sorted(os.listdir(tmp_path / 'a')) == ['plain.png', 'pr.png', 'slices.png']


@pytest.fixture()
def toy(tmp_path):
    """Make a derived ground truth of two images, a perfect method and one that finds one face of two."""
    (tmp_path / 'gt.txt').write_text('e/a.jpg\n1\n10 10 60 60 0 0 0 0 2 0\ne/b.jpg\n1\n10 10 60 60 0 0 0 0 0 0\n')
    for method, found in (('good', 'ab'), ('half', 'a')):
        (tmp_path / method / 'e').mkdir(parents=True)
        for image in 'ab':
            rows = ['10 10 60 60 .9', '300 300 5 5 .1'] if image in found else []
            (tmp_path / method / 'e' / f'{image}.txt').write_text('\n'.join([image, str(len(rows)), *rows]) + '\n')
    return tmp_path


def test_tool_end_to_end(toy):
    arguments = ['good', 'other=half', '--gt', 'gt.txt', '--slices', 'occlusion=heavy', '--bootstrap', '50',
                 '--compare', 'good', 'other', '--out', 'r.json', '--csv', 'r.csv', '--plot', 'figures']
    done = subprocess.run([sys.executable, TOOL, *arguments], capture_output=True, text=True, cwd=toy,
                          env=dict(os.environ, COLUMNS='120', PYTHONPATH=str(TOOL.parents[2])))
    assert done.returncode == 0, done.stderr
    assert 'derived_hard' in done.stdout and 'other − good' in done.stdout
    rows = {(row['method'], row['subset']): row for row in json.loads((toy / 'r.json').read_text())['results']}
    assert rows['good', 'derived_hard']['ap'] == 1 and rows['other', 'derived_hard']['ap'] == .5
    assert rows['other', 'occlusion=heavy']['ap'] == 1 and rows['other', 'occlusion=heavy']['num_faces'] == 1
    assert (toy / 'r.csv').is_file()
    assert sorted(os.listdir(toy / 'figures')) == sorted(
        f'{name}.{kind}' for kind in ('png', 'pdf')
        for name in ('slices', *(f'precision_recall_derived_{level}' for level in ('easy', 'medium', 'hard'))))


@pytest.mark.parametrize('arguments, problem', [
    (['good', '--gt', 'absent'], 'wider_face_val.mat is missing'),
    (['absent', '--gt', 'gt.txt'], 'absent does not exist'),
    (['good', '--gt', 'gt.txt', '--slices', 'occlusion=severe'], '          ^'),
    (['good', '--gt', 'gt.txt', '--compare', 'good', 'bad'], 'not bad'),
    (['good', './good', '--gt', 'gt.txt'], "two methods are called 'good'"),
])
def test_tool_says_what_is_wrong(toy, arguments, problem, monkeypatch, capsys):
    monkeypatch.chdir(toy)
    spec = importlib.util.spec_from_file_location('eval_wider_face', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    with pytest.raises(SystemExit) as stop:
        tool.main(arguments)
    said = str(stop.value) + capsys.readouterr().err  # argparse prints, sys.exit() carries its message
    assert stop.value.code not in (0, None) and problem in said
