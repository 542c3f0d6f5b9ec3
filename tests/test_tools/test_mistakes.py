"""Mistakes of users end at once with the line of docs/errors.md, which names the key or file and what to do."""
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest
from coco_files import coco_box, write_coco
from mmengine.registry import DefaultScope
from tool_processes import ROOT

from mmseam.cli import main

PAGE = (ROOT / 'docs' / 'errors.md').read_text(encoding='utf-8')
CONFIG = re.search(r'```python\n(.*?)```', PAGE, flags=re.S)[1]
#: What is added to the command or the config, and the line that follows.
ROWS = re.findall(r'^\| `(.+?)` \| `(error: .+?)` \|', PAGE, flags=re.M)


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Folder with the data of the page's config."""
    folder = tmp_path_factory.mktemp('mistakes')
    boxes = [coco_box((10, 10, 40, 50)), coco_box((60, 20, 50, 50), 2)]
    for split in ('train', 'val'):
        path = write_coco(folder / 'pets', {f'{i}.jpg': boxes for i in range(4)}, ('cat', 'dog'), split)
    (folder / 'pets' / 'half.json').write_text(path.read_text()[:200])
    return folder


@pytest.fixture
def error_line(folder, capfd, monkeypatch) -> Callable:
    """Run ``mmseam train``, which must fail without printing anything but one line; return the line."""
    monkeypatch.setattr(sys, 'argv', ['mmseam'])
    monkeypatch.setattr(sys, 'path', [*sys.path])
    monkeypatch.chdir(folder)
    DefaultScope._instance_dict.clear()

    def run(*arguments) -> str:
        with pytest.raises(SystemExit) as error:
            main(['train', *map(str, arguments)])
        line, printed = error.value.code, capfd.readouterr()
        assert line.startswith('error: ') and '\n' not in line and printed == ('', '')
        return line

    return run


def test_page_has_mistakes_of_every_kind():
    assert len(ROWS) >= 12
    kinds = ('--cfg-options ', '--data ', '--imgsz ', '--work-dir ', 'classes = ', 'model = ', 'load_from = ')
    assert all(any(mistake.startswith(kind) for mistake, _ in ROWS) for kind in kinds)


@pytest.mark.parametrize('mistake, line', ROWS, ids=[mistake for mistake, _ in ROWS])
def test_line_is_that_of_the_page(folder, error_line, mistake, line):
    is_option, is_setting = mistake.startswith('--'), ' = ' in mistake
    (folder / 'pets.py').write_text(f'{CONFIG}{mistake}\n' if is_setting else CONFIG)
    arguments = ['pets.py', *mistake.split()] if is_option else ['pets.py'] if is_setting else [mistake]
    assert error_line(*arguments).replace(str(folder), '/home/me') == line
    assert not (folder / 'work_dirs').exists()


def test_in_a_process_of_its_own(folder):
    """Nothing else is printed, no traceback and no warning of a host package."""
    (folder / 'pets.py').write_text(CONFIG)
    command = [sys.executable, '-m', 'mmseam', 'train', 'pets.py', '--cfg-options', 'train_cfg.max_epoch=3']
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, '', 1)
    assert done.stderr.startswith('error: train_cfg.max_epoch: ')
