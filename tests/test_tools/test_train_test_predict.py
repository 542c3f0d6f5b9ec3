"""The tools one after the other, as a user runs them: train, resume, test, predict; each in a process of its own."""
import csv
import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import cv2
import mmengine
import numpy as np
import pytest
import torch
from exported_models import write_onnx
from full_disk import small_files
from tiny_training import NUM_IMAGES, write_tiny_coco_training, write_tiny_training
from tool_processes import ROOT, interrupt_tool, run_tool

from mmseam.compat.safe_checkpoints import load_checkpoint_file
from mmseam.inference.media import VideoReader
from mmseam.inference.prediction import predict

BASE = ROOT / 'configs/yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py'
COCO_BASE = BASE.with_name('yolo11_n_syncbn_fast_8xb16-500e_coco.py')


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> Path:
    return write_tiny_training(tmp_path_factory.mktemp('tiny'), BASE)


@pytest.fixture(scope='module')
def trained(config) -> Path:
    """Work folder of one epoch."""
    work_dir = config.parent / 'run'
    run_tool('train.py', config, '--work-dir', work_dir, '--auto-scale-lr')
    return work_dir


@pytest.fixture(scope='module')
def tested(config, trained) -> Path:
    """Work folder of a test with --benchmark and --out."""
    work_dir = config.parent / 'test'
    text = run_tool('test.py', config, trained / 'epoch_1.pth', '--work-dir', work_dir, '--benchmark', '--out',
                    work_dir / 'out.pkl', '--show-dir', 'drawn')
    assert f'written: {work_dir / "benchmark.json"}' in text
    assert re.search(r'forward, ms +median \d', text)
    return work_dir


def read_checkpoint(path: Path) -> dict:
    return load_checkpoint_file(path)


def test_auto_scale_lr_does_not_lower_the_rate_of_small_batches(trained):
    groups = read_checkpoint(trained / 'epoch_1.pth')['optimizer']['param_groups']
    # For 128 images; the batches of 4 are accumulated to 64
    assert [group['initial_lr'] for group in groups] == pytest.approx([0.01] * 3)


def test_resume_goes_on_where_it_stopped(config, trained, tmp_path):
    shutil.copytree(trained, tmp_path / 'run')
    text = run_tool('train.py', config, '--work-dir', tmp_path / 'run', '--resume', '--verbose', '--cfg-options',
                    'train_cfg.max_epochs=2', 'train_cfg.val_interval=9')
    assert 'resumed epoch: 1' in text
    assert 'Epoch(train) [1]' not in text
    assert read_checkpoint(tmp_path / 'run' / 'epoch_2.pth')['meta']['epoch'] == 2


def test_benchmark(tested, trained):
    report = json.loads((tested / 'benchmark.json').read_text())
    assert report['checkpoint'] == str(trained / 'epoch_1.pth')
    assert 'coco/bbox_mAP_50' in report['metrics']
    assert report['parameters'] == dict(trainable=2590019, with_fixed_weights=2590035)
    # 6.3 at 640×640 with one class, and a hundredth of the pixels
    assert report['gflops']['img_size'] == [64, 64]
    assert report['gflops']['convolution_and_linear'] == pytest.approx(0.063, abs=0.001)
    latency = report['latency_ms']
    assert latency['images'] == NUM_IMAGES
    stages = [latency[stage] for stage in ('load', 'preprocess', 'forward', 'postprocess', 'total')]
    assert all(0 < stage['median'] <= stage['p95'] for stage in stages)
    assert latency['total']['median'] > latency['forward']['median']
    rates = report['images_per_second']
    assert rates['with_loading'] < rates['without_loading']
    assert report['environment']['torch'] == torch.__version__
    assert report['environment']['device']
    assert 'score_thr 0.01' in report['protocol']['text']


def test_predictions_are_drawn_and_dumped(tested):
    assert len(list(tested.glob('*/drawn/*.jpg'))) == NUM_IMAGES
    assert (tested / 'out.pkl').is_file()


def test_deploy_form_finds_the_same(config, tested, trained, tmp_path):
    """To the end, with the moving average in the config, and with the deploy form in the benchmark."""
    run_tool('test.py', config, trained / 'epoch_1.pth', '--work-dir', tmp_path, '--deploy', '--benchmark', '--out',
             tmp_path / 'out.pkl')
    found, expected = (mmengine.load(folder / 'out.pkl') for folder in (tmp_path, tested))
    assert len(found) == len(expected) == NUM_IMAGES
    for image, other in zip(found, expected):
        for name, tolerance in (('bboxes', 1e-2), ('scores', 1e-4)):
            torch.testing.assert_close(image['pred_instances'][name], other['pred_instances'][name], atol=tolerance,
                                       rtol=0)
    assert (tmp_path / 'benchmark.json').is_file()


def test_a_checkpoint_of_another_architecture_is_refused(config, trained):
    text = run_tool('test.py', config, trained / 'epoch_1.pth', '--work-dir', trained / 'x', '--cfg-options',
                    'model.bbox_head.head_module.type=mmseam.SEAMHeadModule', succeeds=False)
    error = text[text.index('error: '):]
    assert 'Traceback' not in error
    assert re.search(r'\d+ of \d+ tensors of the model match\n- \d+ missing in the checkpoint: bbox_head', error)
    assert 'It was trained with the config tiny_face: use that config' in error


def test_contradictions_are_found_before_the_training(config):
    text = run_tool('train.py', config, '--cfg-options', 'model.bbox_head.head_module.num_classes=3', succeeds=False)
    assert text.startswith('error: the config contradicts itself')
    assert 'has 1 classes (face)' in text


@pytest.fixture(scope='module')
def coco_config(tmp_path_factory) -> Path:
    return write_tiny_coco_training(tmp_path_factory.mktemp('coco'), COCO_BASE)


def test_boxes_without_polygons_are_trained_on(coco_config, tmp_path):
    text = run_tool('train.py', coco_config, '--work-dir', tmp_path, '--cfg-options', 'train_cfg.max_epochs=2')
    for name in ('train', 'val'):
        assert f'{name}: {NUM_IMAGES} images, {2 * NUM_IMAGES} boxes of 1 class\n' in text
    # A line per epoch and validation on the terminal, everything in the log file
    assert len(text.splitlines()) < 30 and 'Warning' not in text
    assert re.search(r'^epoch 2/2: loss \d.*\n', text, re.M) and 'epoch 2/2: coco/bbox_mAP ' in text
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert all(part in log for part in ('System environment:', 'Config:', 'Epoch(train) [2][2/2]', 'epoch 2/2: loss'))
    lines = [json.loads(line) for line in next(tmp_path.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    losses = [line['loss_bbox'] for line in lines if 'loss_bbox' in line]
    assert len(losses) == 4 and min(losses) > 0


@pytest.mark.parametrize('options, message', [
    (['train_dataloader.dataset.metainfo.classes=[faces]'],
     r"train set: .*train.json has no class 'faces' \(did you mean 'face'\?\)"),
    (['train_dataloader.dataset.filter_cfg.min_size=99'], 'train.json: no images are left'),
], ids=['classes', 'filtered away'])
def test_a_training_on_nothing_is_refused(coco_config, tmp_path, options, message):
    text = run_tool('train.py', coco_config, '--work-dir', tmp_path, '--cfg-options', *options, succeeds=False)
    error = text.splitlines()[-1]
    assert error.startswith('error: ') and re.search(message, error)
    assert 'Traceback' not in text
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize('options', [[], ['test_dataloader.dataset.metainfo.classes=[dog]']], ids=['fits', 'differs'])
def test_the_data_of_a_test_are_checked(coco_config, trained, tmp_path, options):
    text = run_tool('test.py', coco_config, trained / 'epoch_1.pth', '--work-dir', tmp_path,
                    *(['--cfg-options', *options] if options else []), succeeds=not options)
    if options:
        assert re.match(r"error: test set: .*val.json has no class 'dog'; it has 'face'", text.splitlines()[-1])
    else:
        assert f'test: {NUM_IMAGES} images, {2 * NUM_IMAGES} boxes of 1 class\n' in text


def write_part(source: Path, path: Path, share: float) -> Path:
    """Write a checkpoint with some of the tensors, and with others that the model does not have."""
    weights = read_checkpoint(source)['state_dict']
    kept = dict(list(weights.items())[:int(share * len(weights))])
    torch.save(dict(state_dict={**kept, **{f'foreign.{i}': torch.zeros(1) for i in range(500)}}), path)
    return path


def test_a_checkpoint_that_fits_in_part_starts_a_training_with_a_short_note(config, trained, tmp_path):
    part = write_part(trained / 'epoch_1.pth', tmp_path / 'part.pth', .4)
    text = run_tool('train.py', config, '--work-dir', tmp_path / 'run', '--verbose', '--cfg-options',
                    f'load_from={part}')
    lines = text.splitlines()
    place = next(i for i, line in enumerate(lines) if re.search(r'WARNING - checkpoint: \d+ of \d+ tensors', line))
    assert lines[place + 2].startswith('- 500 only in the checkpoint: foreign.0')
    first = next(i for i, line in enumerate(lines) if 'Epoch(train) [1][1/2]' in line)
    assert place < first < place + 10
    assert len(re.findall('foreign', text)) == 5 and 'missing keys' not in text


def test_a_foreign_checkpoint_is_refused_unless_it_is_meant(config, trained, tmp_path):
    part = write_part(trained / 'epoch_1.pth', tmp_path / 'part.pth', .05)
    command = ['train.py', config, '--work-dir', tmp_path / 'run']
    text = run_tool(*command, '--cfg-options', f'load_from={part}', succeeds=False)
    error = text[text.index('error: '):]
    assert 'Traceback' not in text
    assert re.match(r'error: the checkpoint in load_from matches hardly any .*\n- \d+ of \d+ tensors', error)
    assert '--allow-partial-checkpoint' in error and len(error.splitlines()) == 5
    text = run_tool(*command, '--allow-partial-checkpoint', '--cfg-options', f'load_from={part}')
    assert 'epoch 1/1: loss' in text


@pytest.fixture
def pictures(config, tmp_path) -> Path:
    """Make a folder of images, one of which is broken."""
    shutil.copytree(config.parent / 'data' / 'WIDER_val' / 'images', tmp_path / 'images')
    broken = tmp_path / 'images' / '0--Noise' / 'broken.jpg'
    broken.write_bytes(broken.with_name('noise_0.jpg').read_bytes()[:700])
    return tmp_path / 'images'


def test_predict_on_a_folder(config, trained, pictures, tmp_path):
    text = run_tool('predict.py', pictures, config, trained / 'epoch_1.pth', '--out-dir', tmp_path / 'out', '--csv',
                    tmp_path / 'found.csv', '--json', tmp_path / 'new' / 'found.json', '--batch-size', 3,
                    '--score-thr', 0, succeeds=False)
    assert text.endswith('error: 1 images could not be read or drawn; all others are in the results\n')
    assert f'{NUM_IMAGES} images or frames; found: face ' in text
    stages = ', '.join(rf'{stage} [\d.]+' for stage in ('load', 'preprocess', 'forward', 'postprocess', 'write'))
    assert re.search(rf'ms per image: {stages}; [\d.]+ images per second', text)
    broken = pictures / '0--Noise' / 'broken.jpg'
    assert f'1 images could not be read or drawn:\n- {broken}: the JPEG file is truncated' in text
    found = sorted(path.relative_to(tmp_path / 'out') for path in (tmp_path / 'out').rglob('*') if path.is_file())
    assert found == [Path('0--Noise', f'noise_{i}.jpg') for i in range(NUM_IMAGES)]
    images = json.loads((tmp_path / 'new' / 'found.json').read_text())
    assert [image['image'] for image in images] == [str(pictures / path) for path in found]
    assert {(image['height'], image['width']) for image in images} == {
        cv2.imread(str(pictures / '0--Noise' / 'noise_0.jpg')).shape[:2]}
    with open(tmp_path / 'found.csv', newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    expected = [(image['image'], found['name'], found['score'], found['box'])
                for image in images for found in image['detections']]
    assert [(row['image'], row['name'], float(row['score']), [float(row[side]) for side in ('x1', 'y1', 'x2', 'y2')])
            for row in rows] == expected
    assert f'found: face {len(expected)}\n' in text


def test_predict_on_links_to_images_elsewhere(config, trained, tmp_path):
    images = config.parent / 'data' / 'WIDER_val' / 'images' / '0--Noise'
    for folder in ('links', 'links/below'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'link.jpg').symlink_to(images / 'noise_0.jpg')
    (tmp_path / 'links' / 'other.jpg').symlink_to(tmp_path / 'real.jpg')
    shutil.copy(images / 'noise_1.jpg', tmp_path / 'real.jpg')
    summary = predict(tmp_path / 'links', config, trained / 'epoch_1.pth', tmp_path / 'out', device='cpu')
    expected = ['below/link.jpg', 'link.jpg', 'other.jpg']
    assert [path.relative_to(tmp_path / 'out').as_posix() for path in summary.written] == expected
    assert all(path.is_file() and not path.is_symlink() for path in summary.written)
    (tmp_path / 'links' / 'real.jpg').symlink_to(tmp_path / 'real.jpg')
    for source in (tmp_path / 'links', f'{tmp_path}/links/*.jpg'):
        with pytest.raises(ValueError, match='would overwrite'):
            predict(source, config, trained / 'epoch_1.pth', tmp_path)


def test_an_image_that_fails_is_named_and_the_others_are_kept(config, trained, tmp_path):
    (tmp_path / 'images').mkdir()
    for name, size in (('a.jpg', (64, 96)), ('thin.png', (1, 4000)), ('x.pgm', (64, 96)), ('z.jpg', (64, 96))):
        cv2.imwrite(str(tmp_path / 'images' / name), np.full(size, 99, np.uint8))
    summary = predict(tmp_path / 'images', config, trained / 'epoch_1.pth', tmp_path / 'out', score_thr=0.0,
                      device='cpu', batch_size=4, json_path=tmp_path / 'a.json', csv_path=tmp_path / 'a.csv')
    assert [path.name for path in summary.written] == ['a.jpg', 'z.jpg']
    thin, pgm = summary.bad
    assert thin == f'{tmp_path}/images/thin.png: 4000 x 1 pixels are too thin to be resized for the network'
    assert pgm.startswith(f'{tmp_path}/images/x.pgm: ') and 'OpenCV cannot write' in pgm
    found = [Path(image['image']).name for image in json.loads((tmp_path / 'a.json').read_text())]
    assert found == ['a.jpg', 'x.pgm', 'z.jpg']
    assert len((tmp_path / 'a.csv').read_text().splitlines()) == 1 + sum(summary.num_detections.values())


def test_predict_by_an_exported_file(pictures, tmp_path):
    pytest.importorskip('onnxruntime')
    pytest.importorskip('onnx')
    model = write_onnx(tmp_path / 'model.onnx')
    text = run_tool('predict.py', pictures / '0--Noise' / 'noise_*.jpg', model, '--json', tmp_path / 'found.json',
                    '--workers', 1)
    assert f'{NUM_IMAGES} images or frames' in text
    assert text.endswith(f'written: {tmp_path / "found.json"}\n')
    images = json.loads((tmp_path / 'found.json').read_text())
    # Noise has means of about a half
    assert [len(image['detections']) for image in images] == [2] * NUM_IMAGES


def test_predict_refuses_in_a_word(config, trained, tmp_path):
    text = run_tool('predict.py', tmp_path / 'nothing', config, trained / 'epoch_1.pth', succeeds=False)
    assert text == f'error: there is no file or folder {tmp_path / "nothing"}\n'
    (tmp_path / 'model.onnx').write_bytes(b'no model')
    text = run_tool('predict.py', config.parent / 'data', tmp_path / 'model.onnx', succeeds=False)
    assert 'Traceback' not in text
    assert re.search(r'error: .*model\.onnx', text)


def test_predict_on_an_image(config, trained, tmp_path):
    source = config.parent / 'data' / 'WIDER_val' / 'images' / '0--Noise' / 'noise_2.jpg'
    checkpoint = trained / 'epoch_1.pth'
    nothing = predict(source, config, checkpoint, tmp_path / 'none', score_thr=1.0, device='cpu')
    everything = predict(source, config, checkpoint, tmp_path / 'all', score_thr=0.0, device='cpu')
    assert nothing.num_detections == {}
    assert everything.num_detections['face'] > 0
    assert everything.written == [tmp_path / 'all' / 'noise_2.jpg']
    original, without, drawn = (cv2.imread(str(path)).astype(int)
                                for path in (source, nothing.written[0], everything.written[0]))
    assert without.shape == original.shape
    # Re-encoded as JPEG; a box changes far more
    assert np.abs(without - original).max() < 40 < np.abs(drawn - original).max()


def test_predict_on_a_video(config, trained, tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / 'clip.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10.0, (96, 64))
    for value in range(5):
        writer.write(np.full((64, 96, 3), 40 * value, np.uint8))
    writer.release()
    summary = predict(tmp_path / 'clip.avi', config, trained / 'epoch_1.pth', tmp_path / 'out', device='cpu',
                      batch_size=2, json_path=tmp_path / 'frames.json')
    assert summary.written == [tmp_path / 'out' / 'clip.mp4']
    assert summary.num_images == 5
    assert [frame['frame'] for frame in json.loads((tmp_path / 'frames.json').read_text())] == list(range(5))
    video = cv2.VideoCapture(str(summary.written[0]))
    assert (video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)) == (5, 10)


def test_an_interrupt_ends_a_webcam_and_keeps_its_video(config, trained, tmp_path, monkeypatch):
    class Webcam(VideoReader):

        def __iter__(self):
            for image in super().__iter__():
                if image.frame == 1:
                    os.kill(os.getpid(), signal.SIGINT)
                yield image

    writer = cv2.VideoWriter(str(tmp_path / 'clip.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10.0, (96, 64))
    for _ in range(9):
        writer.write(np.zeros((64, 96, 3), np.uint8))
    writer.release()
    webcam = Webcam(tmp_path / 'clip.avi')
    webcam.is_webcam, webcam.path, webcam.root, webcam.name = True, None, None, 'webcam 0'
    monkeypatch.setattr('mmseam.inference.prediction.open_source', lambda *args, **kwargs: webcam)
    summary = predict(0, config, trained / 'epoch_1.pth', tmp_path / 'out', device='cpu')
    assert summary.num_images == 2
    assert summary.written == [tmp_path / 'out' / 'webcam_0.mp4']
    assert cv2.VideoCapture(str(summary.written[0])).get(cv2.CAP_PROP_FRAME_COUNT) == 2


@pytest.fixture(scope='module')
def long_sources(config, tmp_path_factory) -> Path:
    """Make a video and a folder of images on which a prediction takes half a minute."""
    folder = tmp_path_factory.mktemp('long')
    (folder / 'images').mkdir()
    writer = cv2.VideoWriter(str(folder / 'clip.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10.0, (96, 64))
    for i in range(2000):
        writer.write(np.zeros((64, 96, 3), np.uint8))
        cv2.imwrite(str(folder / 'images' / f'{i:04}.jpg'), np.zeros((64, 96, 3), np.uint8))
    writer.release()
    return folder


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('source', ['images', 'clip.avi'])
def test_an_interrupted_prediction_keeps_what_is_done(config, trained, long_sources, tmp_path, number, source):
    out, found = tmp_path / 'out', tmp_path / 'found.json'
    found.write_text('the earlier one')
    code, text = interrupt_tool(
        lambda process: process.send_signal(number), lambda: len(list(out.rglob('*'))) > 1, sys.executable,
        ROOT / 'tools' / 'predict.py', long_sources / source, config, trained / 'epoch_1.pth', '--out-dir', out,
        '--json', found, '--csv', tmp_path / 'found.csv', '--device', 'cpu')
    assert code == 128 + number, text
    partial = tmp_path / 'found.partial.json'
    number_done = len(json.loads(partial.read_text()))
    assert 0 < number_done < 2000
    assert text.splitlines()[-1] == (
        f'interrupted by {number.name}; {number_done} images or frames are done; kept: {out}, {partial}, '
        f'{tmp_path / "found.partial.csv"}')
    assert found.read_text() == 'the earlier one'
    with open(tmp_path / 'found.partial.csv', newline='', encoding='utf-8') as file:
        assert all(None not in row.values() for row in csv.DictReader(file))
    names = {'out', 'found.json', 'found.partial.json', 'found.partial.csv'}
    assert {path.name for path in tmp_path.iterdir()} == names
    if source == 'images':
        assert sorted(path.name for path in out.iterdir()) == [f'{i:04}.jpg' for i in range(number_done)]
    else:
        assert [path.name for path in out.iterdir()] == ['clip.partial.mp4']
        assert VideoReader(out / 'clip.partial.mp4').total == number_done


def test_a_full_disk_ends_a_prediction_with_one_line(config, trained, long_sources, tmp_path):
    found = tmp_path / 'found.json'
    with small_files(30_000):
        text = run_tool('predict.py', long_sources / 'images', config, trained / 'epoch_1.pth', '--json', found,
                        '--device', 'cpu', succeeds=False)
    message = f'error: file size limit reached while writing {found}: raise it (ulimit -f) and run again'
    assert text.splitlines()[-1] == message
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_no_files(config, trained, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError('disk full')

    monkeypatch.setattr('mmseam.inference.prediction.write_image', fail)
    source = config.parent / 'data' / 'WIDER_val' / 'images'
    with pytest.raises(RuntimeError, match='disk full'):
        predict(source, config, trained / 'epoch_1.pth', tmp_path / 'out', device='cpu',
                json_path=tmp_path / 'a.json', csv_path=tmp_path / 'a.csv')
    assert not [path for path in tmp_path.rglob('*') if path.is_file()]


def test_predict_never_overwrites_its_source(config, trained, tmp_path):
    (tmp_path / 'a.jpg').touch()
    for source in (tmp_path, tmp_path / 'a.jpg', f'{tmp_path}/*'):
        with pytest.raises(ValueError, match='would overwrite'):
            predict(source, config, trained / 'epoch_1.pth', tmp_path)


def test_tools_of_the_hosts_work_on_our_configs(config, tested, tmp_path):
    run_tool('analysis_tools/browse_dataset.py', config, '--not-show', '--out-dir', tmp_path / 'browsed', '-n', 2)
    assert sorted(path.name for path in (tmp_path / 'browsed').iterdir()) == ['noise_0.jpg', 'noise_1.jpg']
    run_tool('misc/run_host_tool.py', 'mmyolo', 'analysis_tools/confusion_matrix.py', config, tested / 'out.pkl',
             tmp_path / 'matrix')
    assert (tmp_path / 'matrix' / 'confusion_matrix.png').is_file()
