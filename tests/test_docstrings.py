"""Examples in docstrings do what they show."""
import doctest
import importlib

import pytest
from config_files import ROOT

MODULES = sorted('.'.join(path.relative_to(ROOT).with_suffix('').parts) for path in (ROOT / 'mmseam').rglob('*.py')
                 if '.mim' not in path.parts and '>>>' in path.read_text(encoding='utf-8'))


@pytest.mark.parametrize('name', MODULES)
def test_examples_give_the_results_shown(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted > 0
    assert results.failed == 0
