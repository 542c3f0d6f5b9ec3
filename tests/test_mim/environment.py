"""A throw-away environment with mmseam and MIM in it."""
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Sequence

OPENMIM = 'openmim==0.3.9'
BUILD = 'import setuptools.build_meta as b; print(b.build_{0}("dist"))'


def run(command: Sequence[str], cwd: Path, timeout: int = 600) -> str:
    """Run a command outside the checkout and return what it printed; its failure fails the test with all of that."""
    environment = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'VIRTUAL_ENV')}
    environment.update(OMP_NUM_THREADS='2', COLUMNS='200')
    ran = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, text=True, timeout=timeout,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert ran.returncode == 0, f'{" ".join(map(str, command))}\n{ran.stdout[-6000:]}'
    return ran.stdout


def copy_checkout(repo: Path, target: Path) -> Path:
    """Copy what git tracks, as a clone has it."""
    names = run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], repo).split('\0')
    for name in filter(None, names):
        if (repo / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(repo / name, target / name)
    return target


class Environment:
    """A virtual environment.

    Args:
        folder (Path): Where to make it.
        constraints (Path): Versions to install.
    """

    def __init__(self, folder: Path, constraints: Path) -> None:
        self.folder = folder
        self.constraints = constraints
        run([sys.executable, '-m', 'venv', folder], folder.parent)
        self.pip('setuptools', 'wheel', 'torch')

    def pip(self, *arguments: str) -> None:
        """Install with the tested versions."""
        self.run('python', '-m', 'pip', 'install', '--quiet', '-c', self.constraints, *arguments)

    def run(self, program: str, *arguments: str, cwd: Path = None, timeout: int = 600) -> str:
        """Run a program of the environment."""
        return run([self.folder / 'bin' / program, *arguments], cwd or self.folder, timeout)
