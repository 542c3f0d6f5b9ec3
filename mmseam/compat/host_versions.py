"""Check the versions of the host packages and print the commands that fix them.

Broken: mmyolo 0.6 (the last release) does not declare the version ranges that it needs, so ``pip install`` can end in
an assertion or import error inside a dependency: with mmcv from 2.1 on, and with setuptools from 82 on. OneDL's forks
of MMEngine, mmcv and mmdet install into the same package folders as the originals, which pip does not know: the last
one installed overwrites the other, and uninstalling either deletes files of both.
Remove when mmyolo has a release that declares working version ranges.

There are two sets of hosts, told apart by the names of the distributions. The versions of the classic set are
mmseam's own requirements; those of OneDL's set are in ``ONEDL_HOSTS``. Only package metadata is read, because importing
the packages takes seconds.
"""
from importlib import metadata
from typing import Dict, List, Optional, Sequence, Tuple

from packaging.requirements import Requirement

__all__ = ['ONEDL_HOSTS', 'ONEDL_MMCV', 'HostVersionError', 'check_host_versions', 'distribution_of']

_HOSTS = ('torch', 'setuptools', 'mmengine', 'mmdet', 'mmyolo')
# All three install the package folder `mmcv`.
_MMCV_DISTRIBUTIONS = ('mmcv', 'mmcv-lite', 'mmcv-full')
#: OneDL's hosts, as in requirements-onedl.txt
ONEDL_MMCV = 'onedl-mmcv>=2.3.6,<2.4'
ONEDL_HOSTS = ('onedl-mmengine>=0.10.12,<0.11', ONEDL_MMCV, 'onedl-mmdetection>=3.5.1,<3.6')
_ONEDL_NAMES = tuple(Requirement(each).name for each in ONEDL_HOSTS)
_ONEDL_NOTE = ('(These are the hosts of OneDL. Install mmseam beside them with `--no-deps`, so that pip does not '
               'install MMEngine, mmdet and mmcv-lite over them; requirements-onedl.txt lists what else it needs.)')
# They install the same package folders as OneDL's.
_CLASSIC_ONLY = ('mmengine', 'mmengine-lite', 'mmdet', *_MMCV_DISTRIBUTIONS)
# Reasons for the less obvious bounds
_REASONS = {'setuptools': 'MMEngine imports pkg_resources, which setuptools 82 dropped',
            'mmcv-lite': 'mmyolo 0.6 refuses 2.1 and later', 'mmcv': 'mmyolo 0.6 refuses 2.1 and later'}


class HostVersionError(ImportError):
    """A host package is missing, has an unsupported version, or is installed twice."""


def check_host_versions() -> None:
    """Check that every host package is installed in a supported version, and the hosts are of one set.

    Raises:
        HostVersionError: One or more are not; the message gives the version found and the required range of each,
            and the commands that fix all of them.
    """
    needed = _requirements()
    if not needed:  # a source tree on the path has no metadata
        return
    if _installed(_ONEDL_NAMES):
        forks = {each.name: each for each in map(Requirement, ONEDL_HOSTS)}
        _check_onedl({'torch': needed['torch'], **forks, 'mmyolo': needed['mmyolo']})
    else:
        _check_classic(needed)


def distribution_of(package: str) -> str:
    """Return the distribution that a package of the hosts belongs to, in the installed set.

    Args:
        package (str): Name to import: torch, mmengine, mmcv, mmdet or mmyolo.

    Returns:
        str: Name to install.
    """
    found = _installed((*_ONEDL_NAMES, *_CLASSIC_ONLY))
    fork = {'mmdet': 'onedl-mmdetection'}.get(package, f'onedl-{package}')
    if fork in found or package in found:
        return fork if fork in found else package
    return 'mmcv-lite' if package == 'mmcv' else package


def _check_classic(needed: Dict[str, Requirement]) -> None:
    problems, installs = _check_each({name: needed[name] for name in _HOSTS})
    mmcv_problem, uninstalls = _check_mmcv(needed)
    if mmcv_problem:
        problems.append(mmcv_problem)
        installs.append(_spec(needed['mmcv-lite']))
    if problems:
        raise HostVersionError(_message(problems, uninstalls, installs, needed))


def _check_onedl(needed: Dict[str, Requirement]) -> None:
    """Check OneDL's set; with a classic host beside it, both are damaged and OneDL's is installed again."""
    problems, installs = _check_each(needed)
    classic, forks = _installed(_CLASSIC_ONLY), _installed(_ONEDL_NAMES)
    if classic:
        problems.insert(0, f'{_listed(classic)} and {_listed(forks)} are installed together, but own the same files: '
                           'only one of the two sets can be whole')
        installs = [_spec(each) for name, each in needed.items()
                    if name in _ONEDL_NAMES or _spec(each) in installs]
    if problems:
        uninstalls = [*classic, *forks] if classic else []
        raise HostVersionError('\n'.join([*_commands(problems, uninstalls, installs), _ONEDL_NOTE]))


def _check_each(needed: Dict[str, Requirement]) -> Tuple[List[str], List[str]]:
    """Return the problems, and the requirements to install."""
    problems, installs = [], []
    for name, requirement in needed.items():
        problem = _problem(requirement, _installed_version(name))
        if problem:
            problems.append(problem)
            installs.append(_spec(requirement))
    return problems, installs


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
    found = _installed(_MMCV_DISTRIBUTIONS)
    if len(found) > 1:
        return (f'{_listed(found)} are installed together, but own the same files: only one of them can be whole',
                list(found))
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


def _commands(problems: List[str], uninstalls: List[str], installs: List[str]) -> List[str]:
    lines = ['mmseam cannot run with the installed packages:']
    lines += [f'  - {problem}' for problem in problems]
    lines += ['To fix it:']
    if uninstalls:
        lines.append('  python -m pip uninstall -y ' + ' '.join(uninstalls))
    return [*lines, '  python -m pip install ' + ' '.join(f'"{spec}"' for spec in installs)]


def _message(problems: List[str], uninstalls: List[str], installs: List[str], needed: Dict[str, Requirement]) -> str:
    mmcv, mmcv_lite = _spec(needed['mmcv']), _spec(needed['mmcv-lite'])
    if mmcv_lite not in installs:
        return '\n'.join(_commands(problems, [], installs))
    note = (f'(If you have a compiler, you can install "{mmcv}" instead of mmcv-lite, never both. Then '
            'install mmseam with `--no-deps`, so that pip does not install mmcv-lite.)')
    return '\n'.join([*_commands(problems, uninstalls, installs), note])


def _installed(names: Sequence[str]) -> Dict[str, str]:
    """Return the installed ones of some distributions, and their versions."""
    versions = {name: _installed_version(name) for name in names}
    return {name: version for name, version in versions.items() if version}


def _listed(versions: Dict[str, str]) -> str:
    return ' and '.join(f'{name} {version}' for name, version in versions.items())


def _installed_version(name: str) -> Optional[str]:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
