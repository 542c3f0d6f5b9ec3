"""Check the versions of the host packages and print the commands that fix them.

Broken: mmyolo 0.6 (the last release) does not declare the version ranges that it needs, so ``pip install`` can end in
an assertion or import error inside a dependency: with mmcv from 2.1 on, and with setuptools from 82 on.
Remove when mmyolo has a release that declares working version ranges.

The supported versions are mmseam's own requirements. Only package metadata is read, because importing the packages
takes seconds.
"""
from importlib import metadata
from typing import Dict, List, Optional, Tuple

from packaging.requirements import Requirement

__all__ = ['HostVersionError', 'check_host_versions']

_HOSTS = ('torch', 'setuptools', 'mmengine', 'mmdet', 'mmyolo')
# All three install the package folder `mmcv`.
_MMCV_DISTRIBUTIONS = ('mmcv', 'mmcv-lite', 'mmcv-full')
# Reasons for the less obvious bounds
_REASONS = {'setuptools': 'MMEngine imports pkg_resources, which setuptools 82 dropped',
            'mmcv-lite': 'mmyolo 0.6 refuses 2.1 and later', 'mmcv': 'mmyolo 0.6 refuses 2.1 and later'}


class HostVersionError(ImportError):
    """A host package is missing, has an unsupported version, or is installed twice."""


def check_host_versions() -> None:
    """Check that every host package is installed in a supported version.

    Raises:
        HostVersionError: One or more are not; the message gives the version found and the required range of each,
            and the commands that fix all of them.
    """
    needed = _requirements()
    if not needed:  # a source tree on the path has no metadata
        return
    problems, installs = [], []
    for name in _HOSTS:
        problem = _problem(needed[name], _installed_version(name))
        if problem:
            problems.append(problem)
            installs.append(_spec(needed[name]))
    mmcv_problem, uninstalls = _check_mmcv(needed)
    if mmcv_problem:
        problems.append(mmcv_problem)
        installs.append(_spec(needed['mmcv-lite']))
    if problems:
        raise HostVersionError(_message(problems, uninstalls, installs, needed))


def _requirements() -> Dict[str, Requirement]:
    """Collect mmseam's requirements by name; a compiled mmcv can replace mmcv-lite."""
    try:
        needed = {each.name: each for each in map(Requirement, metadata.requires('mmseam') or ())}
    except metadata.PackageNotFoundError:
        return {}
    needed['mmcv'] = Requirement(f'mmcv{needed["mmcv-lite"].specifier}')
    return needed


def _check_mmcv(needed: Dict[str, Requirement]) -> Tuple[str, List[str]]:
    """Return the problem with mmcv ('' if none) and the distributions to uninstall before mmcv-lite."""
    versions = {name: _installed_version(name) for name in _MMCV_DISTRIBUTIONS}
    found: Dict[str, str] = {name: version for name, version in versions.items() if version}
    if len(found) > 1:
        names = ' and '.join(f'{name} {version}' for name, version in found.items())
        return f'{names} are installed together, but own the same files: only one of them can be whole', list(found)
    if 'mmcv' in found:
        return _problem(needed['mmcv'], found['mmcv']), ['mmcv']
    if 'mmcv-full' in found:
        return _problem(needed['mmcv'], None, f'mmcv-full {found["mmcv-full"]} is installed'), ['mmcv-full']
    return _problem(needed['mmcv-lite'], found.get('mmcv-lite')), []


def _problem(needed: Requirement, version: Optional[str], found: str = '') -> str:
    name = needed.name
    if version and needed.specifier.contains(version, prereleases=True):
        return ''
    found = found or (f'{name} {version} is installed' if version else f'{name} is not installed')
    return f'{found}; needed is {_spec(needed)}' + (f' ({_REASONS[name]})' if name in _REASONS else '')


def _spec(needed: Requirement) -> str:
    """Format a requirement for pip, lower bound first."""
    return needed.name + ','.join(sorted(map(str, needed.specifier), reverse=True))


def _message(problems: List[str], uninstalls: List[str], installs: List[str], needed: Dict[str, Requirement]) -> str:
    mmcv, mmcv_lite = _spec(needed['mmcv']), _spec(needed['mmcv-lite'])
    lines = ['mmseam cannot run with the installed packages:']
    lines += [f'  - {problem}' for problem in problems]
    lines += ['To fix it:']
    if uninstalls and mmcv_lite in installs:
        lines.append('  python -m pip uninstall -y ' + ' '.join(uninstalls))
    lines.append('  python -m pip install ' + ' '.join(f'"{spec}"' for spec in installs))
    if mmcv_lite in installs:
        lines.append(f'(If you have a compiler, you can install "{mmcv}" instead of mmcv-lite, never both. Then '
                     'install mmseam with `--no-deps`, so that pip does not install mmcv-lite.)')
    return '\n'.join(lines)


def _installed_version(name: str) -> Optional[str]:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
