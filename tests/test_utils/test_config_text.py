"""The text of dumped configs is read as data."""
import pytest
from config_files import LEAVES
from mmengine.config import Config

from mmseam.utils.config_text import ConfigTextError, parse_config_text


@pytest.mark.parametrize('path', [path for path in LEAVES if '_n_' in path.stem][::4], ids=lambda path: path.stem)
def test_dumped_configs_are_read_as_mmengine_does(path):
    cfg = Config.fromfile(path)
    assert parse_config_text(cfg.pretty_text) == Config.fromstring(cfg.pretty_text, '.py').to_dict() == cfg.to_dict()


def test_values():
    values = dict(a=1, b=-2.5, c='x\n\'"', d=None, e=(True, ), f=[], g=dict(), h={'1 2': (), 3: [(1, 2)]}, i=1e-9,
                  j=((1, ), [dict(k=-float('inf'))]), l='')
    assert parse_config_text(Config(values).pretty_text) == values
    assert parse_config_text('a = (1)\nb = (1,)\nc = dict(\n)  # nothing\n\nd = (\n    "x", )\n') == dict(
        a=1, b=(1, ), c={}, d=('x', ))


@pytest.mark.parametrize('text', [
    "import os", "a = __import__('os').system('x')", "a = open('x')", "a = b", "a = dict(**b)", "a = [*b]", "a = 1 + 1",
    "a = f'{b}'", "a = b'x'", "a = 1j", "a = 'x' 'y'", "a = not 1", "a = -'x'", "a = --1", "a = lambda: 1", "a = x.y",
    "a = [1 for b in c]", "a: int = 1", "a = 1; b = 2", "a == 1", "a = {1, 2}", "a = {[1]: 2}", "a = dict(1)", "a = ",
    "a = [1", "a = (1", "a = 'x", "True = 1", "a = dict(a.b=1)", "1 = a", "if a:\n    b = 1", "a = {b: 1}", "\0",
    "a = 0x", "@a\ndef b(): pass", "a = 1 if 2 else 3", "a = [1 2]", "a = dict", "a = dict[1]", "a = b = 1",
], ids=repr)
def test_anything_else_is_refused(text):
    with pytest.raises(ConfigTextError):
        parse_config_text(text)


@pytest.mark.parametrize('text', ['a = ' + '[' * 100000, 'a = ' + '-' * 100000 + '1', 'a = ' + 'dict(a=' * 100000,
                                  'a = ' + '1' * 100000, 'a = ' + 'not ' * 100000, '#' * 5000000],
                         ids=['lists', 'signs', 'dicts', 'digits', 'nots', 'size'])
def test_bombs_are_refused(text):
    with pytest.raises(ConfigTextError):
        parse_config_text(text)


def test_error_names_the_line():
    with pytest.raises(ConfigTextError, match="line 3: 'os' does not belong in a dumped config"):
        parse_config_text("a = 1\nb = dict(\n    c=os.system('x'))\n")
