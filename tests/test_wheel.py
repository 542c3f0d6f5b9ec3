"""From an empty folder and an installed wheel to an exported detector, one command for each step."""
import json
import sys
import venv
from pathlib import Path
from typing import Callable

import pytest
from coco_files import coco_box, write_coco
from test_mim.environment import BUILD, copy_checkout, run
from yolo_files import write_yolo

pytestmark = pytest.mark.slow

NUM_IMAGES = 4
FIVE_LINES = """
_base_ = 'mmseam::yolo11/yolo11_n_fast_1xb16-100e_custom-coco.py'
data_root = 'pets/'
classes = ('cat', 'dog')
train_ann_file = 'train.json'
val_ann_file = 'val.json'
img_scale = (64, 64)
"""
FACES = 'yolo11_n_multiseam_fast_1xb16-100e_custom-faces'


@pytest.fixture(scope='module')
def environment(repo, tmp_path_factory) -> Path:
    """Install a wheel into an environment that shares all other packages with this one."""
    folder = tmp_path_factory.mktemp('environment')
    checkout = copy_checkout(repo, folder / 'checkout')
    run([sys.executable, '-c', BUILD.format('wheel')], checkout)
    venv.create(folder / 'venv')
    packages, = folder.glob('venv/lib/python*/site-packages')
    # The .pth files in these folders, which lead to the checkout, are not followed
    (packages / 'shared.pth').write_text(''.join(f'{path}\n' for path in sys.path if path.endswith('site-packages')))
    run([sys.executable, '-m', 'pip', '--python', folder / 'venv' / 'bin' / 'python', 'install', '--quiet', '--no-deps',
         next((checkout / 'dist').glob('*.whl'))], folder)
    where = run([folder / 'venv' / 'bin' / 'python', '-c', 'import mmseam; print(mmseam.__file__)'], folder)
    assert Path(where.strip()).parent == packages / 'mmseam'
    return folder / 'venv'


@pytest.fixture
def mmseam(environment, tmp_path) -> Callable[[str], str]:
    """Return a function that runs a command line of ``mmseam`` in the empty folder."""

    def command(line: str) -> str:
        print(f'$ mmseam {line}')
        printed = run([environment / 'bin' / 'mmseam', *line.split()], tmp_path, timeout=1800)
        print(printed)
        return printed

    return command


def check_losses(work_dir: Path) -> None:
    """All box losses that were logged are above zero."""
    rows = [json.loads(line) for file in work_dir.glob('*/vis_data/scalars.json')
            for line in file.read_text().splitlines()]
    losses = [row['loss_bbox'] for row in rows if 'loss_bbox' in row]
    assert losses and min(losses) > 0


def use(mmseam: Callable[[str], str], folder: Path, name: str, images: str, train: str) -> None:
    """Train for two epochs, and then test, resume, predict and export."""
    work_dir = f'work_dirs/{name}'
    printed = mmseam(f'train {train} --epochs 2')
    assert 'epoch 2/2: loss' in printed and 'coco/bbox_mAP' in printed
    lines = [line for line in printed.splitlines() if line.strip() and '%|' not in line]  # a bar overwrites its line
    print(f'{len(lines)} lines on the terminal')
    assert len(lines) < 30
    check_losses(folder / work_dir)
    assert 'coco/bbox_mAP' in mmseam(f'test {work_dir}/{name}.py {work_dir}/epoch_2.pth')
    printed = mmseam(f'train {train} --epochs 3 --resume')
    assert 'epoch 3/3: loss' in printed and 'epoch 2/3' not in printed
    check_losses(folder / work_dir)
    mmseam(f'predict {images} {work_dir}/epoch_3.pth --json found.json')
    assert len(json.loads((folder / 'found.json').read_text())) == NUM_IMAGES
    mmseam(f'export {work_dir}/{name}.py {work_dir}/epoch_3.pth --out own.onnx')
    assert (folder / 'own.onnx').is_file()


def test_five_lines_on_boxes_of_coco_json(mmseam, tmp_path):
    boxes = [coco_box((10, 10, 40, 50)), coco_box((60, 20, 50, 50), 2)]
    for split in ('train', 'val'):
        write_coco(tmp_path / 'pets', {f'{i}.jpg': boxes for i in range(NUM_IMAGES)}, ('cat', 'dog'), split)
    (tmp_path / 'pets.py').write_text(FIVE_LINES)
    use(mmseam, tmp_path, 'pets', 'pets/images', 'pets.py')


def test_one_command_on_yolo_labels(mmseam, tmp_path):
    labels = ['0 0.3 0.4 0.4 0.5', '0 0.7 0.5 0.3 0.4']
    data = write_yolo(tmp_path / 'faces', {f'{split}/{i}.jpg': labels for split in ('train', 'val')
                                           for i in range(NUM_IMAGES)})
    (tmp_path / 'faces.yaml').write_text(f'path: faces\n{data.read_text()}')
    data.unlink()
    use(mmseam, tmp_path, FACES, 'faces/images/val', f'{FACES} --data faces.yaml --imgsz 320')
