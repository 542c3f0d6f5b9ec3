"""Names each host package that is missing or of a wrong version, with the command that mends it.

Reason: nobody maintains mmyolo 0.6, so its requirements do not say what it needs today; an unlucky ``pip install``
ends in an assertion or an import error deep inside a package that the user never asked for.
Dies with: an mmyolo release that declares working version ranges.

Only ``importlib.metadata`` is read: importing the packages to ask their version would take seconds.
"""
import re
from importlib import metadata
from typing import Dict, List, NamedTuple, Optional, Tuple

__all__ = ['HostVersionError', 'check_host_versions']


class HostVersionError(ImportError):
    """A host package is missing, of a version that does not work, or installed twice."""


class _Host(NamedTuple):
    """A distribution and the half-open range of its versions that work, with the reason where it surprises."""
    name: str
    low: Optional[str]
    high: Optional[str]
    reason: str = ''

    @property
    def spec(self) -> str:
        bounds = (('>=', self.low), ('<', self.high))
        return self.name + ','.join(sign + version for sign, version in bounds if version)

    def admits(self, version: str) -> bool:
        release = _release(version)
        return ((self.low is None or release >= _release(self.low))
                and (self.high is None or release < _release(self.high)))


_HOSTS = (
    _Host('torch', '2.0', None),
    _Host('setuptools', None, '82', 'MMEngine imports pkg_resources, which setuptools 82 dropped'),
    _Host('mmengine', '0.10', '1.0'),
    _Host('mmdet', '3.3.0', '3.4'),
    _Host('mmyolo', '0.6.0', '0.7'),
)
_MMCV_LITE = _Host('mmcv-lite', '2.0.0', '2.1.0', 'mmyolo 0.6 refuses 2.1 and later')
_MMCV = _Host('mmcv', '2.0.0', '2.1.0', _MMCV_LITE.reason)
# All three install the package folder `mmcv`.
_MMCV_DISTRIBUTIONS = ('mmcv', 'mmcv-lite', 'mmcv-full')


def check_host_versions() -> None:
    """Check that every host package is installed in a version that works.

    Raises:
        HostVersionError: One or more are not; the message names each with the version found and the range needed,
            and gives the commands that mend all of them.
    """
    problems, installs = [], []
    for host in _HOSTS:
        problem = _problem(host, _installed_version(host.name))
        if problem:
            problems.append(problem)
            installs.append(host.spec)
    mmcv_problem, uninstalls = _check_mmcv()
    if mmcv_problem:
        problems.append(mmcv_problem)
        installs.append(_MMCV_LITE.spec)
    if problems:
        raise HostVersionError(_message(problems, uninstalls, installs))


def _check_mmcv() -> Tuple[str, List[str]]:
    """What is wrong with mmcv ('' if nothing), and which distributions must go before mmcv-lite is installed."""
    versions = {name: _installed_version(name) for name in _MMCV_DISTRIBUTIONS}
    found: Dict[str, str] = {name: version for name, version in versions.items() if version}
    if len(found) > 1:
        names = ' and '.join(f'{name} {version}' for name, version in found.items())
        return f'{names} are installed together, but own the same files: only one of them can be whole', list(found)
    if 'mmcv' in found:
        return _problem(_MMCV, found['mmcv']), ['mmcv']
    if 'mmcv-full' in found:
        return _problem(_MMCV, None, f'mmcv-full {found["mmcv-full"]} is installed'), ['mmcv-full']
    return _problem(_MMCV_LITE, found.get('mmcv-lite')), []


def _problem(host: _Host, version: Optional[str], found: str = '') -> str:
    if version and host.admits(version):
        return ''
    found = found or (f'{host.name} {version} is installed' if version else f'{host.name} is not installed')
    return f'{found}; needed is {host.spec}' + (f' ({host.reason})' if host.reason else '')


def _message(problems: List[str], uninstalls: List[str], installs: List[str]) -> str:
    lines = ['mmseam cannot run on the packages that are installed here:']
    lines += [f'  - {problem}' for problem in problems]
    lines += ['This mends it:']
    if uninstalls and _MMCV_LITE.spec in installs:
        lines.append('  python -m pip uninstall -y ' + ' '.join(uninstalls))
    lines.append('  python -m pip install ' + ' '.join(f'"{spec}"' for spec in installs))
    if _MMCV_LITE.spec in installs:
        lines.append(f'(Who has a compiler may install "{_MMCV.spec}" in place of mmcv-lite, never beside it, and '
                     'mmseam itself with `--no-deps`, so that pip does not bring mmcv-lite along.)')
    return '\n'.join(lines)


def _installed_version(name: str) -> Optional[str]:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _release(version: str) -> Tuple[int, ...]:
    """The first three numbers of a version, missing ones 0: no `packaging` here, which may be missing as well."""
    numbers = [int(number) for number in re.findall(r'\d+', version.split('+')[0])[:3]]
    return tuple(numbers + [0] * (3 - len(numbers)))
