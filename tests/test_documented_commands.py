"""The commands that READMEs and pages show: what they name exists, and the cheap ones run in a fresh clone."""
import argparse
import re
import subprocess
import sys

import pytest
from config_files import CONFIGS, ROOT
from documented_commands import PAGES, as_tool, code_spans, command_lines, make_targets

from mmseam.cli import _load, commands

every_page = pytest.mark.parametrize('page', PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
START_PAGES = [ROOT / 'README.md', ROOT / 'README_zh-CN.md', ROOT / 'docs' / 'get_started.md']
NAME = 'yolo11_n_multiseam_syncbn_fast_8xb16-250e_widerface'

#: Commands that run here, as they are or with what stands in for their placeholders
RUN = {
    'mmseam --help': '--help',
    'mmseam doctor': 'doctor',
    'mmseam config CONFIG': f'config {NAME} model.bbox_head',
    'mmseam summary CONFIG': f'summary {NAME}',
    f'mmseam summary {NAME}': f'summary {NAME}',
    f'mmseam config {NAME} model.bbox_head': f'config {NAME} model.bbox_head',
    'mmseam host mmdet analysis_tools/analyze_results.py …': 'host mmdet analysis_tools/analyze_results.py --help',
}
#: Beginnings of the others, and where they run instead
RUN_ELSEWHERE = {
    'make ': 'creates an environment: .ci/run, and make test-slow for the quickstart',
    'pip install': 'needs a package index: tests/test_mim installs wheels',
    'mmseam quickstart': 'minutes of training: make test-slow',
    'mmseam train': 'trains: tests/test_tools/test_train_test_predict.py, tests/test_tools/test_own_data.py',
    'mmseam test': 'needs a checkpoint: tests/test_tools/test_train_test_predict.py, test_exported_models.py',
    'mmseam predict': 'needs a checkpoint: tests/test_tools/test_train_test_predict.py',
    'mmseam export': 'needs a checkpoint: tests/test_tools/test_export_tool.py',
    'mmseam convert': 'needs weights of others: tests/test_convert',
    'mmseam evaluate': 'needs the official lists: tests/test_evaluation',
    'mmseam occlusion': 'needs checkpoints: tests/test_tools/test_occlusion_robustness.py',
    'mmseam study': 'trains: tests/test_analysis/test_tiny_study.py',
}


class _Parser(Exception):
    """Carries the parser of a tool out of its ``parse_args``."""


@pytest.fixture(scope='module')
def parsers():
    """Parsers by tool file; tools of the host packages have none."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:

        def give(parser, *_, **__):
            raise _Parser(parser)

        for method in ('parse_args', 'parse_known_args'):
            patch.setattr(argparse.ArgumentParser, method, give)
        for path in sorted((ROOT / 'tools').rglob('*.py')):
            tool = _load(path)
            if hasattr(tool, 'parse_args'):
                with pytest.raises(_Parser) as parser:
                    tool.parse_args()
                found[path.resolve()] = parser.value.args[0]
    assert len(found) > 15
    return found


def tool_file(name):
    path = commands().get(name, ROOT / name)
    assert path.is_file(), f'{name} is no command and no tool'
    return path.resolve()


@every_page
def test_command_lines_are_valid(page, parsers, capsys):
    for line in command_lines(page):
        if as_tool(line):
            tool, *arguments = as_tool(line)
            parser = parsers.get(tool_file(tool))
            if parser is not None:
                try:
                    parser.parse_args(arguments)
                except SystemExit as error:
                    assert not error.code, f'{line}\n{capsys.readouterr().err}'


@every_page
def test_options_in_sentences_exist(page, parsers):
    for span in code_spans(page):
        if as_tool(span):
            tool, *arguments = as_tool(span)
            parser = parsers.get(tool_file(tool))
            if parser is not None and not span.startswith('mmseam host'):
                known = parser._option_string_actions
                assert [word for word in arguments if word.startswith('--') and word not in known] == [], span


@every_page
def test_configs_exist(page):
    stems = {path.stem for folder in (CONFIGS, ROOT / 'docs') for path in folder.rglob('*.py')}
    named = re.findall(r'\byolo11_[nsmlx]_[\w-]*[a-z0-9]\b(?!…|_…|_\*)', page.read_text(encoding='utf-8'))
    assert [name for name in named if name not in stems] == []


@every_page
def test_make_targets_exist(page):
    targets = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(encoding='utf-8'), flags=re.M))
    named = {target for code in (*command_lines(page), *code_spans(page)) for target in make_targets(code)}
    assert named <= targets


def test_every_command_to_start_with_is_run_or_has_a_reason():
    lines = {line for page in START_PAGES for line in command_lines(page)}
    left = {line for line in lines if line not in RUN and not line.startswith(tuple(RUN_ELSEWHERE))}
    assert left == set()
    assert set(RUN) <= lines


@pytest.fixture(scope='module')
def clone(tmp_path_factory):
    if not (ROOT / '.git').exists():
        pytest.skip('not a git checkout')
    folder = tmp_path_factory.mktemp('fresh') / 'mmseam'
    subprocess.run(['git', 'clone', '--quiet', '--depth', '1', f'file://{ROOT}', str(folder)], check=True)
    return folder


@pytest.mark.parametrize('arguments', sorted(set(RUN.values())))
def test_command_runs_in_a_fresh_clone(arguments, clone, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(clone))
    command = [sys.executable, '-m', 'mmseam', *arguments.split()]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
