"""Weights to WIDER FACE figures by the tools: in one process, in two, and from the written result files."""
import json

import pytest
from real_detection import ROOT, convert, run, run_test, write_config

from mmseam.evaluation.functional import read_detections

pytestmark = pytest.mark.slow
SLICES = ('occlusion=none', 'occlusion=partial', 'occlusion=heavy')
EVALUATOR = "test_evaluator = [dict(type='mmseam.WIDERFaceMetric', gt_dir=data_root + 'ground_truth')]"


@pytest.fixture(scope='module')
def results(test_data, tmp_path_factory):
    """Metrics and result folder by number of processes."""
    folder = tmp_path_factory.mktemp('wider_face')
    checkpoint = convert(test_data / 'weights' / 'yolov11m-face.pt', folder)
    config = write_config(folder / 'faces.py', 'yolo11/yolo11_m_syncbn_fast_8xb16-250e_widerface.py',
                          test_data / 'wider_face', "missing='skip'", EVALUATOR)

    def measure(processes):
        written = folder / f'results{processes}'
        metrics = run_test(config, checkpoint, folder / f'work{processes}', '--cfg-options',
                           f'test_evaluator.0.submission_dir={written}', processes=processes)
        return {name: value for name, value in metrics.items() if name.startswith('wider_face/')}, written

    return {processes: measure(processes) for processes in (1, 2)}


def test_subsets_and_slices(results):
    metrics, written = results[1]
    assert list(metrics) == [f'wider_face/{name}' for name in ('hard', 'medium', 'easy', *SLICES)]
    assert len(list(written.rglob('*.txt'))) == 28
    # 28 of the 3,226 images of the official lists: the faces of the others count as not found
    assert all(0 < value < 5 for value in metrics.values())


def test_two_processes_give_the_same(results):
    (one, one_written), (two, two_written) = results[1], results[2]
    assert one == two
    first, second = read_detections(one_written), read_detections(two_written)
    assert set(first) == set(second)
    assert all((first[key] == second[key]).all() for key in first)


@pytest.mark.parametrize('processes', [1, 2])
def test_written_results_give_the_same(results, processes, test_data, tmp_path):
    metrics, written = results[processes]
    run(ROOT / 'tools' / 'analysis_tools' / 'eval_wider_face.py', written, '--gt',
        test_data / 'wider_face' / 'ground_truth', '--slices', *SLICES, '--out', tmp_path / 'again.json')
    rows = json.loads((tmp_path / 'again.json').read_text())['results']
    again = {f'wider_face/{row["subset"]}': 100 * row['ap'] for row in rows}
    assert again == pytest.approx(metrics, abs=1e-9)
