"""From data of one's own to an exported detector: a config of five values, and one command with Ultralytics' file."""
import json
from pathlib import Path

import pytest
from coco_files import coco_box, write_coco
from tool_processes import run_tool
from yolo_files import write_yolo

CONFIG = """
_base_ = 'mmseam::multiseam/yolo11_n_multiseam_fast_1xb16-100e_custom-faces.py'
data_root = '{root}'
classes = ('face', 'mask')
train_ann_file = 'train.json'
val_ann_file = 'val.json'
img_scale = (64, 64)
"""
NAME = 'yolo11_n_fast_1xb16-100e_custom-coco'
# The test machine has few cores; users leave these as they are
SMALL = ['train_num_workers=0', 'persistent_workers=False', 'val_dataloader.num_workers=0',
         'test_dataloader.num_workers=0', 'env_cfg.cudnn_benchmark=False']
LABELS = ['0 0.3 0.4 0.4 0.5', '1 0.7 0.5 0.3 0.4']
IMAGES = {f'{split}/{i}.jpg': LABELS for split in ('train', 'val') for i in range(4)}


def losses(work_dir: Path) -> list:
    lines = next(work_dir.glob('*/vis_data/scalars.json')).read_text().splitlines()
    return [row['loss_bbox'] for row in map(json.loads, lines) if 'loss_bbox' in row]


def test_five_values_train_on_boxes(tmp_path):
    boxes = [coco_box((10, 10, 40, 50)), coco_box((60, 20, 50, 50), 2)]
    for split in ('train', 'val'):
        write_coco(tmp_path / 'data', {f'{i}.jpg': boxes for i in range(4)}, ('face', 'mask'), split)
    config = tmp_path / 'mine.py'
    config.write_text(CONFIG.format(root=tmp_path / 'data'))
    text = run_tool('train.py', config, '--work-dir', tmp_path / 'run', '--epochs', 1, '--batch', 2, '--cfg-options',
                    *SMALL)
    assert '  max_epochs = 1\n  train_dataloader = dict(batch_size=2)\n' in text
    assert losses(tmp_path / 'run') and min(losses(tmp_path / 'run')) > 0
    assert 'coco/bbox_mAP' in text and (tmp_path / 'run' / 'epoch_1.pth').is_file()


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Folder with a data file of Ultralytics and the work folder of a training on it."""
    folder = tmp_path_factory.mktemp('own')
    data = write_yolo(folder / 'data', IMAGES, ('face', 'mask'))
    text = run_tool('train.py', NAME, '--work-dir', folder / 'run', '--data', data, '--imgsz', 64, '--epochs', 1,
                    '--batch', 2, '--cfg-options', *SMALL)
    for line in (f"data_root = '{folder}/data/'", "classes = ('face', 'mask')", "train_ann_file = 'mmseam_train.json'",
                 "val_data_prefix = ''", 'img_scale = (64, 64)'):
        assert f'\n  {line}\n' in text
    assert losses(folder / 'run') and min(losses(folder / 'run')) > 0
    return folder


def test_resume(trained):
    text = run_tool('train.py', NAME, '--work-dir', trained / 'run', '--data', trained / 'data/data.yaml',
                    '--imgsz', 64, '--epochs', 2, '--batch', 2, '--resume', '--cfg-options', *SMALL)
    assert 'epoch 2/2' in text and 'epoch 1/2' not in text and (trained / 'run' / 'epoch_2.pth').is_file()


def test_test_predict_and_export(trained):
    """With the config that the training has written, which needs none of the options again."""
    config, checkpoint = trained / 'run' / f'{NAME}.py', trained / 'run' / 'epoch_1.pth'
    assert 'coco/bbox_mAP' in run_tool('test.py', config, checkpoint, '--work-dir', trained / 'test')
    again = run_tool('test.py', NAME, checkpoint, '--data', trained / 'data/data.yaml', '--imgsz', 64, '--tta',
                     '--work-dir', trained / 'test', '--cfg-options', *SMALL)
    assert 'coco/bbox_mAP' in again
    run_tool('predict.py', trained / 'data/images/val', config, checkpoint, '--json', trained / 'found.json')
    assert len(json.loads((trained / 'found.json').read_text())) == 4
    run_tool('deployment/export.py', config, checkpoint, '--out', trained / 'own.onnx')
    assert (trained / 'own.onnx').is_file()


@pytest.mark.parametrize('options, message', [
    ([NAME, '--data', 'none.yaml'], 'error: --data: there is no file none.yaml'),
    ([NAME, '--imgsz', 100], 'error: --imgsz must be a multiple of 32, such as 96, not 100'),
    ([NAME, '--epochs', 0], 'error: --epochs must be at least 1, not 0'),
    (['yolo11_n_syncbn_fast_8xb16-250e_widerface', '--data', __file__],
     'error: --data: the dataset of yolo11_n_syncbn_fast_8xb16-250e_widerface cannot be set; use yolo11_n_fast_1xb16'),
], ids=['file', 'size', 'epochs', 'config'])
def test_mistakes_are_one_line(options, message):
    text = run_tool('train.py', *options, succeeds=False)
    assert text.splitlines()[-1].startswith(message) and 'Traceback' not in text
