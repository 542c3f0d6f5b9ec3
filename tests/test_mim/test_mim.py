"""The installed package and the real MIM: what people type after `pip install mmseam`."""
import tarfile
import zipfile

import pytest
from own_layer import COUNTS, write_own_training
from tiny_training import write_tiny_training

from .environment import BUILD

pytestmark = pytest.mark.mim

NAME = 'yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface'
CHILD = f'mmseam::multiseam/{NAME}.py'
PACKED = ('configs/_base_/models/yolo11_n.py', f'configs/multiseam/{NAME}.py', 'configs/multiseam/metafile.yml',
          'tools/train.py', 'tools/test.py', 'tools/analysis_tools/get_flops.py', 'model-index.yml')


def test_wheel_and_sdist_hold_what_mim_needs(checkout, environment):
    for kind in ('wheel', 'sdist'):
        environment.run('python', '-c', BUILD.format(kind), cwd=checkout)
    with zipfile.ZipFile(next((checkout / 'dist').glob('*.whl'))) as wheel:
        missing = {'mmseam/py.typed', *(f'mmseam/.mim/{name}' for name in PACKED)} - set(wheel.namelist())
    assert not missing
    with tarfile.open(next((checkout / 'dist').glob('*.tar.gz'))) as sdist:
        names = {name.split('/', 1)[-1] for name in sdist.getnames()}
    assert not {*PACKED, 'setup.py', 'requirements.txt', 'LICENSE'} - names


def test_train_test_and_tools_by_mim(installed, tmp_path):
    config = write_tiny_training(tmp_path, CHILD)
    printed = installed.run('mim', 'train', 'mmseam', config, '--work-dir', 'work', cwd=tmp_path)
    checkpoint = tmp_path / 'work' / 'epoch_1.pth'
    assert checkpoint.is_file(), printed
    printed = installed.run(
        'mim', 'test', 'mmseam', config, '--checkpoint', checkpoint, '--work-dir', 'work', cwd=tmp_path)
    assert 'wider_face/derived_hard' in printed
    # By name alone, with everything else on the command line.
    printed = installed.run('mim', 'run', 'mmseam', 'get_flops', NAME, cwd=tmp_path)
    assert '4,826,051' in printed


def test_train_by_the_name_of_a_shipped_config(installed, tmp_path):
    write_tiny_training(tmp_path, CHILD)
    options = [f'{split}_dataloader.{key}' for split in ('train', 'val')
               for key in (f'dataset.data_root={tmp_path}/data/', 'num_workers=0', 'persistent_workers=False')]
    installed.run('mim', 'train', 'mmseam', f'{NAME}.py', '--work-dir', 'work', '--cfg-options',
                  'train_cfg.max_epochs=1', 'train_dataloader.batch_size=2', *options, cwd=tmp_path, timeout=900)
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()


@pytest.mark.parametrize('installed', ['wheel'], indirect=True)
@pytest.mark.parametrize('detector', COUNTS)
def test_own_layer_beside_the_config(installed, tmp_path, detector):
    """In head, neck and backbone of YOLO11, mmyolo's YOLOv8 and mmdet's RetinaNet, from another folder."""
    config = write_own_training(tmp_path / 'research', detector)
    printed = installed.run('mim', 'train', 'mmseam', config, '--work-dir', 'work', cwd=tmp_path)
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file(), printed


def test_command_of_the_package(installed, tmp_path):
    assert 'Train a detector' in installed.run('mmseam', '--help', cwd=tmp_path)
    assert '4,826,051' in installed.run('mmseam', 'summary', NAME, cwd=tmp_path)


def test_search_finds_the_models(installed, tmp_path):
    printed = installed.run('mim', 'search', 'mmseam', '--model', 'MultiSEAM', cwd=tmp_path)
    assert NAME in printed.replace('\n', '')


def test_inheritance_from_any_folder(installed, tmp_path):
    """A child config in a folder of its own trains one epoch with the tools of the host as well."""
    config = write_tiny_training(tmp_path, CHILD)
    folder = installed.run('python', '-c', 'import mmyolo; print(mmyolo.__path__[0])', cwd=tmp_path).split()[-1]
    train = f'{folder}/.mim/tools/train.py'
    # mmyolo's own tool does not import mmseam before it parses the config, which `_base_ = 'mmseam::…'` needs.
    code = f'import mmseam, runpy, sys; sys.argv = {[train, str(config), "--work-dir", "host"]!r}; ' \
           f'runpy.run_path({train!r}, run_name="__main__")'
    installed.run('python', '-c', code, cwd=tmp_path)
    assert (tmp_path / 'host' / 'epoch_1.pth').is_file()
