"""The command ``mmseam``."""
import subprocess
import sys

import pytest
from mmengine.config import Config

from mmseam.cli import COMMANDS, commands
from mmseam.utils.config import format_config, load_config
from mmseam.utils.resources import resource_folder

NAME = 'yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface'
HEAVY = {'torch', 'mmengine', 'mmcv', 'mmdet', 'mmyolo', 'numpy', 'cv2'}


def mmseam(*arguments, returncode: int = 0, options=(), **environment) -> subprocess.CompletedProcess:
    """Run ``python -m mmseam``."""
    command = [sys.executable, *options, '-m', 'mmseam', *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **environment)
    assert done.returncode == returncode, done.stdout + done.stderr
    return done


def test_help_lists_each_command_with_the_summary_of_its_tool():
    done = mmseam('--help', options=('-X', 'importtime'))
    assert not HEAVY & {line.split('|')[-1].strip().split('.')[0] for line in done.stderr.splitlines()}
    listed = {line.split()[0]: line.split(maxsplit=1)[1] for line in done.stdout.splitlines()
              if line.startswith('  ') and line.split()[0] in commands()}
    assert listed['train'] == 'Train a detector'
    assert list(listed) == list(commands())
    assert mmseam().stdout == done.stdout


def test_core_commands_exist():
    assert {'train', 'test', 'predict', 'export', 'evaluate', 'convert', 'summary', 'browse', 'config', 'quickstart',
            'doctor', 'host'} <= set(commands())
    tools = [tool for group in COMMANDS.values() for tool in group.values()]
    assert len(tools) == len(set(tools))


@pytest.mark.parametrize('command', [name for name in commands() if name != 'browse'])
def test_command_has_the_options_of_its_tool(command):
    tool = resource_folder('tools') / next(group[command] for group in COMMANDS.values() if command in group)
    text = subprocess.run([sys.executable, str(tool), '--help'], capture_output=True, text=True, check=True).stdout
    ours = mmseam(command, '--help').stdout
    assert ours.startswith(f'usage: mmseam {command} ') and text.startswith(f'usage: {tool.name} ')
    # The usage is wrapped by the length of the name
    assert ours.split('\n\n', 1)[1] == text.split('\n\n', 1)[1]


def test_unknown_command_is_answered_with_the_nearest():
    assert mmseam('tran', returncode=2).stderr == "error: there is no command 'tran'; did you mean `mmseam train`?\n"
    assert '`mmseam --help` lists the commands' in mmseam('zzz', returncode=2).stderr


def test_printed_config_is_the_config(tmp_path):
    """Of a child in any folder, which MMDetection's print_config.py cannot read."""
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = 'mmseam::multiseam/{NAME}.py'\nval_interval = 7\n")
    printed = tmp_path / 'printed.py'
    printed.write_text(mmseam('config', child, '--cfg-options', 'train_cfg.max_epochs=3').stdout)
    expected = load_config(child, ['train_cfg.max_epochs=3'])
    assert Config.fromfile(printed).to_dict() == expected.to_dict()
    assert expected.train_cfg.max_epochs == 3 and expected.val_interval == 7
    assert mmseam('config', NAME, 'custom_hooks.1.num_last_epochs').stdout == 'num_last_epochs = 10\n'


def test_a_part_of_a_config():
    cfg = load_config(NAME)
    assert format_config(cfg, 'train_cfg').startswith('train_cfg = dict(')
    error = mmseam('config', NAME, 'model.bbox_hed', returncode=1).stderr
    assert error == "error: the config has no 'model.bbox_hed': there is no 'bbox_hed'; did you mean 'bbox_head'?\n"


def test_doctor_on_this_installation():
    text = mmseam('doctor').stdout
    assert text.endswith('no problems found\n')
    names = {line.split()[0] for line in text.splitlines() if line}
    assert {'mmseam', 'Python', 'torch', 'mmengine', 'mmdet', 'mmyolo', 'device', 'NMS', 'configs', 'tools'} <= names


def test_doctor_names_the_command_for_each_problem(tmp_path):
    """Another mmdet stands first on the path; nothing of it is imported."""
    info = tmp_path / 'mmdet-2.28.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: mmdet\nVersion: 2.28.0\n')
    path = dict(env=dict(PYTHONPATH=str(tmp_path)))
    text = mmseam('doctor', returncode=1, **path).stdout
    assert 'mmdet 2.28.0 is installed; needed is mmdet>=3.3.0,<3.4' in text
    assert 'python -m pip install "mmdet>=3.3.0,<3.4"' in text
    error = mmseam('summary', NAME, returncode=1, **path).stderr
    assert error.startswith('error: mmseam cannot run with the installed packages') and 'doctor' in error


def test_tools_of_the_hosts(tmp_path):
    assert 'analysis_tools/analyze_results.py' in mmseam('host', 'mmdet').stdout.splitlines()
    assert 'did you mean analysis_tools/analyze_logs.py?' in mmseam('host', 'mmdet', 'analyse_logs.py',
                                                                    returncode=1).stderr
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = 'mmseam::multiseam/{NAME}.py'\n")
    printed = mmseam('host', 'mmdet', 'misc/print_config.py', child, '--cfg-options', 'train_cfg.max_epochs=3').stdout
    assert 'max_epochs=3' in printed and 'mmseam.MultiSEAMHeadModule' in printed


def test_importing_mmseam_is_light_and_prepares_mmengine():
    code = ('import mmseam, sys; print({"torch", "mmengine"} & set(sys.modules)); '
            'from mmengine.config.utils import MODULE2PACKAGE; print(MODULE2PACKAGE["mmseam"])')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ['set()', 'mmseam']
