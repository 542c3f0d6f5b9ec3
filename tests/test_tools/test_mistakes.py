"""Mistakes of users: each ends at once with one line that names the key or file and what to do."""
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest
from tiny_training import write_tiny_training
from tool_processes import ROOT

from mmseam.cli import main

BASE = ROOT / 'configs/yolo11/yolo11_n_syncbn_fast_8xb16-250e_widerface.py'
DATA = 'train_dataloader.dataset'

#: Overrides of a config that works, and what the line says.
OVERRIDES = {
    'trian_cfg.max_epochs=3': "there is no key 'trian_cfg' in the config; did you mean 'train_cfg'?",
    'train_cfg.max_epoch=3': "train_cfg.max_epoch: mmseam.ResumableTrainLoop has no argument 'max_epoch'; did you mean "
                             "'max_epochs'?",
    'train_cfg.max_epochs=ten': "train_cfg.max_epochs must be a number such as 1, not the text 'ten'",
    'train_dataloader.batchsize=4': "train_dataloader.batchsize is an unknown key; did you mean 'batch_size'?",
    'train_dataloader.batch_size=0': 'train_dataloader.batch_size must be a whole number from 1, not 0',
    'optim_wrapper.optimizer.weigth_decay=0.1': "SGD has no argument 'weigth_decay'; did you mean 'weight_decay'?",
    'model.test_cfg.scor_thr=0.1': "model.test_cfg.scor_thr is an unknown key; did you mean 'score_thr'?",
    'custom_hooks.1.num_last_epoch=3': "CloseMosaicHook has no argument 'num_last_epoch'; did you mean "
                                       "'num_last_epochs'?",
    f'{DATA}.data_root=nowhere': f'{DATA}.data_root: there is no folder nowhere (from ',
    f'{DATA}.ann_file=wider_face_split/wider_face_train_bbx_gt.tx': 'wider_face_train_bbx_gt.tx; did you mean '
                                                                    'wider_face_train_bbx_gt.txt?',
}
#: Lines added to a config that works.
LINES = {
    'trian_cfg = dict(max_epochs=3)': "child.py: trian_cfg is an unknown key; did you mean 'train_cfg'?",
    'max_epoch = 3': "child.py: max_epoch is an unknown key; did you mean 'max_epochs'?",
    'model = dict(test_cfg=dict(scor_thr=0.1))': "child.py: model.test_cfg.scor_thr is an unknown key; did you mean "
                                                 "'score_thr'?",
    "model = dict(backbone=dict(type='mmseam.YOLO11CSPDarkNet'))": "model.backbone.type is 'mmseam.YOLO11CSPDarkNet', "
                                                                   "which does not exist; did you mean "
                                                                   "'mmseam.YOLO11CSPDarknet'?",
    'train_cfg = dict(max_epochs=epochs)': "child.py, line 2: NameError: name 'epochs' is not defined",
    "custom_imports = dict(imports=['my_layers'])": "child.py: custom_imports cannot be imported (No module named "
                                                    "'my_layers'); modules are looked for among the installed packages "
                                                    'and in ',
}


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> Path:
    return write_tiny_training(tmp_path_factory.mktemp('mistakes'), BASE)


@pytest.fixture
def error_line(capfd, monkeypatch) -> Callable:
    """Run ``mmseam train``, which must fail without printing anything but one line; return the line."""
    monkeypatch.setattr(sys, 'argv', ['mmseam'])
    monkeypatch.setattr(sys, 'path', [*sys.path])

    def run(*arguments) -> str:
        with pytest.raises(SystemExit) as error:
            main(['train', *map(str, arguments)])
        line, printed = error.value.code, capfd.readouterr()
        assert line.startswith('error: ') and '\n' not in line and printed == ('', '')
        print(line)
        return line

    return run


@pytest.mark.parametrize('override', OVERRIDES)
def test_override(config, tmp_path, error_line, override):
    assert OVERRIDES[override] in error_line(config, '--work-dir', tmp_path / 'work', '--cfg-options', override)
    assert not (tmp_path / 'work').exists()


@pytest.mark.parametrize('line', LINES)
def test_child_config(config, tmp_path, error_line, line):
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = '{config}'\n{line}\n")
    assert LINES[line] in error_line(child, '--work-dir', tmp_path / 'work')
    assert not (tmp_path / 'work').exists()


def test_work_folder_that_cannot_be_written(config, tmp_path, error_line):
    (tmp_path / 'file').touch()
    assert error_line(config, '--work-dir', tmp_path / 'file' / 'work') == (
        f'error: the work folder {tmp_path}/file/work cannot be written (Not a directory); choose another one with '
        '--work-dir')


def test_name_of_a_config(error_line):
    assert 'similar ones are yolo11_n_syncbn_fast_8xb16-250e_widerface, ' in error_line(f'{BASE.stem[:-1]}')


def test_in_a_process_of_its_own(config, tmp_path):
    """Nothing else is printed, no traceback and no warning of a host package."""
    command = [sys.executable, '-m', 'mmseam', 'train', config, '--work-dir', tmp_path, '--cfg-options',
               'train_cfg.max_epoch=3']
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, '', 1)
    assert done.stderr.startswith('error: train_cfg.max_epoch: ')
