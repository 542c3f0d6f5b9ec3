"""The occlusion benchmark as a user runs it."""
import csv
import json
import runpy
import sys

import cv2
import numpy as np
import pytest
from coco_files import coco_box, write_coco
from exported_models import BOXES, write_onnx
from real_detection import ROOT, convert, run
from tool_processes import run_tool

from mmseam.analysis.occlusion_curves import KINDS, load_samples
from mmseam.analysis.occlusion_curves.coverage import measure_conditions
from mmseam.analysis.occlusion_curves.robustness import ModelFiles, measure_robustness, name_models

TOOL = 'analysis_tools/occlusion_robustness.py'
#: The boxes of the exported model that it does not suppress itself
FACES = [coco_box((x1, y1, x2 - x1, y2 - y1)) for x1, y1, x2, y2 in BOXES[[0, 2]].tolist()]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Write a model that finds three fixed boxes whatever it sees, and four images with two of them."""
    pytest.importorskip('onnxruntime')
    folder = tmp_path_factory.mktemp('data')
    write_coco(folder, {f'{index}.png': FACES for index in range(4)}, size=(64, 64))
    write_onnx(folder / 'tiny.onnx')
    return folder


def test_two_models(data, tmp_path):
    text = run_tool(TOOL, data / 'tiny.onnx', f'again={data / "tiny.onnx"}', '--data', data / 'train.json', '--out-dir',
                    tmp_path / 'out', '--bootstrap', '20', '--fractions', '0', '0.3', '0.7')
    assert 'Recall at IoU 0.5 in %, with 95 % intervals, by covered fraction' in text
    assert 'difference to tiny in points' in text
    assert f'written: {tmp_path / "out"}' in text
    result = json.loads((tmp_path / 'out' / 'occlusion.json').read_text())
    assert (result['protocol']['images'], result['protocol']['boxes']) == (4, 8)
    conditions = len(KINDS) * 3 + 3
    assert len(result['results']) == 2 * conditions * 3
    # Neither the boxes nor their number ever change
    assert all(point['value'] == pytest.approx(1) for point in result['results'] if point['score'] != 'AP')
    assert len(result['differences']) == conditions * 3
    assert all(item['low'] == item['high'] == 0 for item in result['differences'])
    assert all(row['boxes'] == 8 and row['largest_error'] < .02 for row in result['coverage'])
    with (tmp_path / 'out' / 'occlusion.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [(row['model'], row['kind'], row['score']) for row in rows] == [
        (point['model'], point['kind'], point['score']) for point in result['results']]
    names = {'occlusion.json', 'occlusion.csv', 'differences.csv', 'examples.png',
             *(f'{score}{suffix}' for score in ('recall', 'ap50', 'ap') for suffix in ('.png', '.pdf'))}
    assert {path.name for path in (tmp_path / 'out').iterdir()} == names
    for path in (tmp_path / 'out').glob('*.png'):
        assert cv2.imread(str(path)).std() > 0


def test_same_result_again(data, tmp_path):
    samples = load_samples(data / 'train.json', data / 'images')
    models = [ModelFiles('tiny', str(data / 'tiny.onnx'))]
    first, second = (measure_robustness(models, samples, tmp_path / name, ['face', 'bars'], [.5], num_resamples=5)
                     for name in 'ab')
    assert first == second
    assert not (tmp_path / 'a' / 'differences.csv').exists()
    assert (tmp_path / 'a' / 'examples.png').read_bytes() == (tmp_path / 'b' / 'examples.png').read_bytes()


@pytest.mark.parametrize('options, message', [
    (['--data', 'no.json'], "error: [Errno 2] No such file or directory: 'no.json'"),
    (['--kinds', 'hat'], "error: unknown kind of occluder 'hat'; choose from lower, upper, block, bars, texture, face"),
    (['--fractions', '1.5'], 'error: the covered fraction must be between 0 and 1, not 1.5'),
    (['--classes', 'hat'], 'train.json: no category is called hat; there are face'),
    (['--example', 'no.png'], 'error: no image of the dataset is called no.png'),
    (['--images', 'nowhere'], 'error: 4 of the 4 images of'),
    (['--seed', '-1'], '--seed must be at least 0'),
], ids=lambda value: value[0] if isinstance(value, list) else '')
def test_errors_are_one_line(options, message, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['tool', str(data / 'tiny.onnx'), '--data', str(data / 'train.json'), '--out-dir',
                                      str(tmp_path / 'out'), *options])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(ROOT / 'tools' / TOOL), run_name='__main__')
    assert message in f'{stop.value}{capsys.readouterr().err}'


def test_names_of_models(tmp_path):
    exported = tmp_path / 'a=b,c.onnx'
    exported.touch()
    assert name_models(['plain=config.py,dir/best.pth', 'dir/last.pth.py,x/epoch_3.pth', 'name', str(exported)]) == [
        ModelFiles('plain', 'config.py', 'dir/best.pth'), ModelFiles('epoch_3', 'dir/last.pth.py', 'x/epoch_3.pth'),
        ModelFiles('name', 'name'), ModelFiles('a=b,c', str(exported))]
    with pytest.raises(ValueError, match=r"two models are called 'best'; write NAME=b.py,best.pth for one of them"):
        name_models(['a.py,best.pth', 'b.py,best.pth'])


def test_overlapping_boxes_are_reported(tmp_path):
    boxes = [coco_box((0, 0, 20, 20)), coco_box((0, 10, 20, 40)), coco_box((200, 0, 9, 9)), coco_box((40, 0, 20, 20))]
    path = write_coco(tmp_path, {'a.png': boxes}, size=(120, 80))
    samples = load_samples(path, tmp_path / 'images')
    row, = measure_conditions(samples, [('upper', 0.), ('upper', .5)])
    # Of three boxes in the image one is covered completely: by its own occluder and by that of the box below
    assert row == dict(kind='upper', fraction=.5, boxes=3, own=.5, largest_error=0, total=round(2 / 3, 4),
                       over=round(1 / 3, 4))


@pytest.mark.slow
def test_recall_of_a_trained_detector_falls(test_data, tmp_path):
    """YOLO11m trained on WIDER FACE, on the 28 images: each step lowers recall, or leaves it within its interval."""
    checkpoint = convert(test_data / 'weights' / 'yolov11m-face.pt', tmp_path)
    run(ROOT / 'tools' / TOOL, f'm=yolo11_m_syncbn_fast_8xb16-250e_widerface,{checkpoint}', '--data',
        test_data / 'wider_face' / 'wider_face_split' / 'wider_face_val_bbx_gt.txt', '--skip-missing', '--out-dir',
        tmp_path / 'out', '--kinds', 'lower', 'block', '--fractions', '0', '0.4', '0.8', timeout=3000)
    result = json.loads((tmp_path / 'out' / 'occlusion.json').read_text())
    assert (result['protocol']['images'], result['protocol']['boxes']) == (28, 490)
    assert max(row['largest_error'] for row in result['coverage']) < .02
    for kind in ('lower', 'block'):
        curve = [point for point in result['results'] if (point['kind'], point['score']) == (kind, 'recall')]
        assert [point['fraction'] for point in curve] == [0, .4, .8]
        assert all(after['value'] <= before['high'] for before, after in zip(curve, curve[1:]))
        assert curve[-1]['high'] < curve[0]['low']
        assert np.argmax([point['value'] for point in curve]) == 0
