"""The matrix of supported combinations: what is recorded, and the pages, requirements and workflows that follow it."""
import json
import re
import subprocess
import sys

import pytest
import run_matrix
from packaging.requirements import Requirement
from packaging.version import Version
from run_matrix import CELLS, ROOT, find_interpreter, read_report, read_results, record
from support_table import PAGES, insert_table, make_table

TESTS = """
import pytest
def test_passes(): pass
def test_fails(): assert False
@pytest.fixture
def broken(): raise OSError
def test_has_no_fixture(broken): pass
@pytest.mark.parametrize('number', [1, 2])
def test_is_skipped(number): pytest.skip('needs a GPU')
@pytest.mark.skip(reason='not today')
def test_is_marked(): pass
"""


def requirements(name):
    lines = (line.split('#')[0].strip() for line in (ROOT / name).read_text(encoding='utf-8').splitlines())
    return {each.name.lower(): each for each in map(Requirement, (line for line in lines if line[:1] not in ('', '-')))}


def pythons(cells):
    return {CELLS[name].python for name in cells}


@pytest.mark.parametrize(('page', 'headings'), PAGES.items(), ids=lambda value: getattr(value, 'name', ''))
def test_pages_show_the_results(page, headings):
    text = page.read_text(encoding='utf-8')
    assert insert_table(text, make_table(read_results(), headings)) == text


def test_lowest_python_is_one_that_passed():
    passed = [name for name, cell in read_results().items() if not cell['failed']]
    setup = (ROOT / 'setup.py').read_text(encoding='utf-8')
    assert re.search(r"python_requires='>=([\d.]+)'", setup).group(1) == min(pythons(passed), key=Version)


def test_workflow_and_classifiers_name_the_same_pythons():
    workflow = (ROOT / '.github' / 'workflows' / 'ci.yml').read_text(encoding='utf-8')
    listed = re.search(r'python-version: \[(.*)\]', workflow).group(1)
    assert {*re.findall(r'[\d.]+', listed), '3.11'} == pythons(CELLS)
    setup = (ROOT / 'setup.py').read_text(encoding='utf-8')
    minors = re.search(r'Python :: 3\.\{minor\}.* in \((.*)\)\)', setup).group(1)
    assert {f'3.{minor}' for minor in minors.split(', ')} == pythons(CELLS)


def test_oldest_versions_are_the_lower_bounds():
    pinned, needed = requirements('constraints-oldest.txt'), requirements('requirements.txt')
    for name, requirement in needed.items():
        lower = [each.version for each in requirement.specifier if each.operator in ('>=', '==')]
        version = next(iter(pinned[name].specifier)).version
        assert not lower or version == lower[0] or version.startswith(f'{lower[0]}.'), name


def test_report_is_counted_with_names_and_reasons(tmp_path):
    (tmp_path / 'test_all.py').write_text(TESTS)
    subprocess.run([sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '--junitxml=report.xml',
                    'test_all.py'], cwd=tmp_path, check=False, capture_output=True)
    assert read_report(tmp_path / 'report.xml') == dict(
        passed=1, failed=2, skipped=3, failures=['test_all::test_fails', 'test_all::test_has_no_fixture'],
        skip_reasons={'needs a GPU': 2, 'not today': 1})


def test_results_of_another_part_are_dropped(tmp_path, monkeypatch):
    part = tmp_path / 'part.txt'
    monkeypatch.setattr(run_matrix, 'PART', part)
    monkeypatch.setattr(run_matrix, 'RESULTS', tmp_path / 'results.json')
    part.write_text('tests/a\n')
    record('3.12-classic', dict(passed=1))
    record('3.10-classic', dict(passed=2))
    assert list(read_results()) == ['3.10-classic', '3.12-classic']
    part.write_text('tests/b\n')
    record('3.13-classic', dict(passed=3))
    assert json.loads((tmp_path / 'results.json').read_text()) == dict(
        part=['tests/b'], cells={'3.13-classic': dict(passed=3)})


def test_newest_interpreter_of_pyenv_is_taken(tmp_path, monkeypatch):
    for version in ('3.12.9', '3.12.10', '3.11.7'):
        (tmp_path / 'versions' / version / 'bin').mkdir(parents=True)
        (tmp_path / 'versions' / version / 'bin' / 'python').touch()
    monkeypatch.setenv('PYENV_ROOT', str(tmp_path))
    assert find_interpreter('3.12') == tmp_path / 'versions' / '3.12.10' / 'bin' / 'python'
    monkeypatch.setenv('PATH', str(tmp_path))
    assert find_interpreter('3.13') is None


def test_a_page_without_the_marks_is_an_error():
    with pytest.raises(ValueError, match='once each'):
        insert_table('# A page\n', '| a |\n')
