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


@pytest.mark.parametrize('page, index', CONFIGS, ids=lambda value: getattr(value, 'stem', str(value)))
def test_config_builds(page, index, tmp_path, monkeypatch):
    """A block with a file name in its first line is a file beside the config."""
    blocks = python_blocks(page)
    for block in blocks:
        name = re.match(r'# (\w+\.py)\n', block)
        if name:
            (tmp_path / name[1]).write_text(block, encoding='utf-8')
    config = tmp_path / 'documented_config.py'
    config.write_text(blocks[index], encoding='utf-8')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    cfg = load_config(config)
    build_model(cfg, 'meta')
    own = re.search(r"type='mmseam\.(My\w+)'", blocks[index])
    assert own is None or own[1] in str(build_model(cfg, 'meta'))
