"""The configs in the pages of the documentation: each loads, and its model builds."""
import re

import pytest
from config_files import ROOT, build_model

from mmseam.utils.config import load_config

PAGES = [*sorted((ROOT / 'docs').glob('*.md')), *sorted(ROOT.glob('README*.md'))]
# Its configs are trained, too, by tests/test_models/test_yolo_facev2_parts.py
PAGES.remove(ROOT / 'docs' / 'yolo_facev2_parts.md')


def python_blocks(page):
    return re.findall(r'```python\n(.*?)```', page.read_text(encoding='utf-8'), flags=re.S)


CONFIGS = [(page, index) for page in PAGES for index, block in enumerate(python_blocks(page)) if '_base_ = ' in block]


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """Make a folder per page with the files that the page names in their first lines."""
    made = {}
    for page in PAGES:
        made[page] = tmp_path_factory.mktemp(page.stem)
        for block in python_blocks(page):
            name = re.match(r'# (\w+\.py)\n', block)
            if name:
                (made[page] / name[1]).write_text(block, encoding='utf-8')
    return made


@pytest.mark.parametrize('page, index', CONFIGS, ids=lambda value: getattr(value, 'stem', str(value)))
def test_config_builds(page, index, folders, monkeypatch):
    monkeypatch.chdir(folders[page])
    block = python_blocks(page)[index]
    config = folders[page] / f'block_{index}.py'
    config.write_text(block, encoding='utf-8')
    model = build_model(load_config(config), 'meta')
    own = re.search(r"type='mmseam\.(My\w+)'", block)
    assert own is None or own[1] in str(model)
