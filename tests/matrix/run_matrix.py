"""Run a part of the tests on every supported Python, set of hosts and range of PyTorch, and record the results.

``make matrix`` creates an environment for each combination whose interpreter is found (on the path, or pyenv's), runs
the tests of ``part.txt`` there, and writes what they did to ``results.json``, one combination after the other.
Arguments choose combinations: ``python tests/matrix/run_matrix.py 3.12-classic 3.11-onedl``. Tests that need data of
third parties are skipped. ``support_table.py`` writes the results into the READMEs.
"""
import argparse
import datetime
import json
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional
from xml.etree import ElementTree

from mmseam.utils.atomic_write import atomic_write

ROOT = Path(__file__).resolve().parents[2]
PART, RESULTS = Path(__file__).with_name('part.txt'), Path(__file__).with_name('results.json')
ENVIRONMENTS = ROOT / '.venv-matrix'
#: Packages whose versions are recorded
PACKAGES = ('torch', 'numpy', 'mmengine', 'mmcv-lite', 'mmdet', 'onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection',
            'mmyolo')
_VERSIONS = """
import json, platform
from importlib import metadata
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
found = dict(python=platform.python_version(), **{name: version(name) for name in %r})
print(json.dumps({name: number for name, number in found.items() if number}))
"""


class Cell(NamedTuple):
    """One combination.

    Args:
        python (str): Minor version of Python.
        target (str): Make target that installs it.
        constraints (str): File with the versions to install; '' takes the newest.
    """
    python: str
    target: str
    constraints: str


#: By name: the tested versions, the lowest that requirements.txt allows, and the newest
CELLS = {
    **{f'{python}-classic': Cell(python, 'install', 'constraints.txt') for python in ('3.10', '3.11', '3.12', '3.13')},
    **{f'{python}-onedl': Cell(python, 'install-onedl', 'constraints-onedl.txt') for python in ('3.11', '3.12')},
    '3.10-oldest': Cell('3.10', 'install', 'constraints-oldest.txt'),
    '3.11-newest': Cell('3.11', 'install', ''),
}


def find_interpreter(python: str) -> Optional[Path]:
    """Find an interpreter on the path or among pyenv's.

    Args:
        python (str): Minor version, such as '3.12'.

    Returns:
        Path or None: The newest one of pyenv, if it has any; pyenv's command on the path may not run.
    """
    versions = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv'), 'versions')
    found = sorted(versions.glob(f'{python}.*/bin/python'), key=lambda path: int(path.parts[-3].split('.')[2]))
    on_path = shutil.which(f'python{python}')
    return found[-1] if found else Path(on_path) if on_path else None


def install(name: str, interpreter: Path) -> Path:
    """Create the environment of a combination, or update it; return its interpreter."""
    cell, folder = CELLS[name], ENVIRONMENTS / name
    variable = 'ONEDL_VENV' if cell.target == 'install-onedl' else 'VENV'
    subprocess.run(['make', cell.target, f'PYTHON={interpreter}', f'{variable}={folder}', 'EXTRAS=tests',
                    f'CONSTRAINTS={cell.constraints or os.devnull}'], cwd=ROOT, check=True)
    return folder / 'bin' / 'python'


def run_part(python: Path) -> dict:
    """Run the tests in an environment.

    Args:
        python (Path): Its interpreter.

    Returns:
        dict: Versions, numbers of passed, failed and skipped tests, the names of failed ones and reasons of skipping.
    """
    environment = {name: value for name, value in os.environ.items() if name != 'MMSEAM_TEST_DATA'}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, 'report.xml')
        subprocess.run([python, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', f'--junitxml={report}', f'@{PART}'],
                       cwd=ROOT, env={**environment, 'OMP_NUM_THREADS': '1'}, check=False)
        results = read_report(report)
    versions = subprocess.run([python, '-c', _VERSIONS % (PACKAGES, )], check=True, capture_output=True, text=True)
    today = datetime.date.today().isoformat()
    return dict(date=today, versions=json.loads(versions.stdout), **results)


def read_report(report: Path) -> dict:
    """Count the tests of a JUnit report.

    Args:
        report (Path): XML file, written by pytest.

    Returns:
        dict: passed, failed and skipped (int), failures (list[str]) and skip_reasons (dict[str, int]).
    """
    cases = list(ElementTree.parse(report).iter('testcase'))
    failed = [case for case in cases if case.find('failure') is not None or case.find('error') is not None]
    skipped = [case.find('skipped') for case in cases if case.find('skipped') is not None]
    return dict(passed=len(cases) - len(failed) - len(skipped), failed=len(failed), skipped=len(skipped),
                failures=[f'{case.get("classname")}::{case.get("name")}' for case in failed],
                skip_reasons=dict(Counter(case.get('message') for case in skipped)))


def read_results() -> Dict[str, dict]:
    """Read the recorded combinations; those that ran another part of the tests are left out."""
    if not RESULTS.is_file():
        return {}
    recorded = json.loads(RESULTS.read_text(encoding='utf-8'))
    return recorded['cells'] if recorded['part'] == _part() else {}


def record(name: str, result: dict) -> None:
    """Write the result of a combination beside those of the others."""
    cells = {**read_results(), name: result}
    content = dict(part=_part(), cells={name: cells[name] for name in CELLS if name in cells})
    with atomic_write(RESULTS) as file:
        file.write(json.dumps(content, indent=2) + '\n')


def _part() -> List[str]:
    return PART.read_text(encoding='utf-8').splitlines()


def main() -> int:
    """Run the combinations; 1 if a test failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('cells', nargs='*', metavar='COMBINATION', help=f'of {", ".join(CELLS)}; default: all')
    names = parser.parse_args().cells or list(CELLS)
    unknown = [name for name in names if name not in CELLS]
    if unknown:
        parser.error(f'unknown combination {unknown[0]}; choose from {", ".join(CELLS)}')
    failed = 0
    for name in names:
        interpreter = find_interpreter(CELLS[name].python)
        if interpreter is None:
            print(f'{name}: no Python {CELLS[name].python} found')
            continue
        result = run_part(install(name, interpreter))
        record(name, result)
        print(f'{name}: {result["passed"]} passed, {result["failed"]} failed, {result["skipped"]} skipped')
        failed += result['failed']
    return int(failed > 0)


if __name__ == '__main__':
    raise SystemExit(main())
