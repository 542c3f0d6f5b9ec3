"""Help texts are printed quickly and contain what MIM looks for."""
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = sorted((ROOT / 'tools').rglob('*.py'))


@pytest.mark.parametrize('tool', [tool for tool in TOOLS if tool.stem != 'browse_dataset'],
                         ids=lambda tool: tool.stem)
def test_help_imports_nothing_heavy(tool):
    command = [sys.executable, '-X', 'importtime', str(tool), '--help']
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert process.stdout.startswith('usage:')
    imported = {line.split('|')[-1].strip().split('.')[0] for line in process.stderr.splitlines()}
    assert 'argparse' in imported
    assert not imported & {'torch', 'mmengine', 'mmcv', 'mmdet', 'mmyolo', 'numpy', 'cv2'}


def test_mim_finds_what_it_expects_of_train():
    text = subprocess.run([sys.executable, str(ROOT / 'tools' / 'train.py'), '-h'], capture_output=True, text=True,
                          check=True).stdout
    assert '--gpus' not in text
    assert '--launcher' in text


@pytest.mark.parametrize('flag', ['--local_rank', '--local-rank'])
def test_rank_is_accepted_in_both_spellings(flag):
    for tool, arguments in (('train.py', []), ('test.py', ['c.pth'])):
        process = subprocess.run([sys.executable, str(ROOT / 'tools' / tool), 'a.py', *arguments, f'{flag}=x'],
                                 capture_output=True, text=True, check=False)
        assert 'argument --local_rank/--local-rank: invalid int value' in process.stderr


@pytest.mark.parametrize('arguments, message', [
    (['--out', 'a.json'], '--out must end with .pkl'),
    (['--benchmark', '--launcher', 'pytorch'], '--benchmark measures one process'),
])
def test_options_of_test_that_do_not_go_together(arguments, message):
    process = subprocess.run([sys.executable, str(ROOT / 'tools' / 'test.py'), 'a.py', 'c.pth', *arguments],
                             capture_output=True, text=True, check=False)
    assert process.returncode == 2
    assert message in process.stderr


@pytest.mark.parametrize('script', sorted((ROOT / 'tools').glob('*.sh')), ids=lambda script: script.stem)
def test_scripts_say_how_they_are_used(script, tmp_path):
    process = subprocess.run([str(script)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert process.returncode == 2
    assert process.stderr.startswith(f'usage: {script} ')


def test_names_are_unique_below_the_package():
    """MIM finds tools and configs by file name over the whole package."""
    modules = {path.name for path in (ROOT / 'mmseam').rglob('*.py') if '.mim' not in path.parts}
    names = [tool.name for tool in TOOLS]
    assert len(names) == len(set(names))
    assert not modules & set(names)
