"""The check of the host packages: silent on a good set, exact on a bad one."""
import re
import sys
from importlib import metadata

import pytest

from mmseam.compat.host_versions import ONEDL_HOSTS, HostVersionError, check_host_versions, distribution_of
from mmseam.compat.mmcv_ops import needs_compiled_mmcv

GOOD = {
    'torch': '2.13.0+cpu', 'setuptools': '81.0.0', 'mmengine': '0.10.7', 'mmdet': '3.3.0', 'mmyolo': '0.6.0',
    'mmcv-lite': '2.0.1'
}


@pytest.fixture
def install(monkeypatch):
    """Pretend that the good set, changed as told, is installed; None takes a package away."""

    def pretend(**changes):
        installed = {**GOOD, **{name.replace('_', '-'): version for name, version in changes.items()}}

        def version(name):
            if installed.get(name) is None:
                raise metadata.PackageNotFoundError(name)
            return installed[name]

        monkeypatch.setattr(metadata, 'version', version)

    return pretend


def message():
    with pytest.raises(HostVersionError) as caught:
        check_host_versions()
    assert isinstance(caught.value, ImportError)
    return str(caught.value)


def commands(text):
    return re.findall(r'^  (python -m pip .*)$', text, re.M)


@pytest.mark.parametrize('changes', [
    dict(),
    dict(mmcv='2.0.1', mmcv_lite=None),
    dict(mmcv_lite='2.0.0'),
    dict(torch='2.1.0'),
    dict(torch='2.14.0a0+git1234'),
    dict(setuptools='59.6.0'),
])
def test_a_good_set_passes(install, changes):
    install(**changes)
    check_host_versions()


def test_this_environment_passes_without_an_import_of_the_hosts(monkeypatch):
    for name in ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmyolo'):
        monkeypatch.setitem(sys.modules, name, None)  # importing it raises an error
    check_host_versions()


@pytest.mark.parametrize(('changes', 'problem', 'command'), [
    (dict(mmdet='3.2.0'), 'mmdet 3.2.0 is installed; needed is mmdet>=3.3.0,<3.4', '"mmdet>=3.3.0,<3.4"'),
    (dict(mmdet='3.4.0'), 'mmdet 3.4.0 is installed', '"mmdet>=3.3.0,<3.4"'),
    (dict(mmyolo=None), 'mmyolo is not installed; needed is mmyolo==0.6.0', '"mmyolo==0.6.0"'),
    (dict(mmengine='0.7.4'), 'mmengine 0.7.4 is installed', '"mmengine>=0.10.3,<1.0"'),
    (dict(torch='2.0.1'), 'torch 2.0.1 is installed; needed is torch>=2.1', '"torch>=2.1"'),
    (dict(setuptools='82.0.0'), 'setuptools 82.0.0 is installed; needed is setuptools<82 (MMEngine', '"setuptools<82"'),
    (dict(setuptools=None), 'setuptools is not installed', '"setuptools<82"'),
    (dict(mmcv_lite=None), 'mmcv-lite is not installed', '"mmcv-lite>=2.0.0,<2.1"'),
    (dict(mmcv_lite='2.1.0'), 'mmcv-lite 2.1.0 is installed', '"mmcv-lite>=2.0.0,<2.1"'),
])
def test_one_wrong_package_is_named_with_its_command(install, changes, problem, command):
    install(**changes)
    text = message()
    assert f'  - {problem}' in text
    assert text.count('  - ') == 1
    assert commands(text) == [f'python -m pip install {command}']


def test_all_wrong_packages_are_mended_by_one_command(install):
    install(mmdet='2.28.2', mmyolo=None, setuptools='82.1')
    text = message()
    assert text.count('  - ') == 3
    assert commands(text) == ['python -m pip install "setuptools<82" "mmdet>=3.3.0,<3.4" "mmyolo==0.6.0"']


def test_mmcv_beside_mmcv_lite_is_refused(install):
    install(mmcv='2.0.1')
    text = message()
    assert 'mmcv 2.0.1 and mmcv-lite 2.0.1 are installed together' in text
    assert commands(text) == ['python -m pip uninstall -y mmcv mmcv-lite',
                              'python -m pip install "mmcv-lite>=2.0.0,<2.1"']
    assert '"mmcv>=2.0.0,<2.1" instead of mmcv-lite' in text and '--no-deps' in text


@pytest.mark.parametrize(('name', 'version'), [('mmcv', '2.2.0'), ('mmcv-full', '1.7.2')])
def test_an_unfit_compiled_mmcv_goes_first(install, name, version):
    install(**{name: version, 'mmcv_lite': None})
    text = message()
    assert f'{name} {version} is installed; needed is mmcv>=2.0.0,<2.1' in text
    assert commands(text) == [f'python -m pip uninstall -y {name}', 'python -m pip install "mmcv-lite>=2.0.0,<2.1"']


ONEDL = dict(mmengine=None, mmdet=None, mmcv_lite=None, onedl_mmengine='0.10.12', onedl_mmcv='2.3.6',
             onedl_mmdetection='3.5.1')
REINSTALL = ('python -m pip install "onedl-mmengine>=0.10.12,<0.11" "onedl-mmcv>=2.3.6,<2.4" '
             '"onedl-mmdetection>=3.5.1,<3.6"')


@pytest.mark.parametrize('changes', [dict(), dict(setuptools='84.0'), dict(setuptools=None)])
def test_the_onedl_set_passes(install, changes):
    install(**{**ONEDL, **changes})
    check_host_versions()


@pytest.mark.parametrize(('changes', 'problem', 'command'), [
    (dict(onedl_mmcv=None), 'onedl-mmcv is not installed', '"onedl-mmcv>=2.3.6,<2.4"'),
    (dict(onedl_mmdetection='3.4.0'), 'onedl-mmdetection 3.4.0 is installed', '"onedl-mmdetection>=3.5.1,<3.6"'),
    (dict(mmyolo=None), 'mmyolo is not installed', '"mmyolo==0.6.0"'),
])
def test_one_wrong_package_beside_onedl_is_named(install, changes, problem, command):
    install(**{**ONEDL, **changes})
    text = message()
    assert problem in text and text.count('  - ') == 1
    assert commands(text) == [f'python -m pip install {command}']
    assert '`--no-deps`' in text


@pytest.mark.parametrize('classic', [dict(mmengine='0.10.7'), dict(mmdet='3.3.0'), dict(mmcv_lite='2.0.1'),
                                     dict(mmcv='2.1.0'), dict(mmengine_lite='0.10.7')])
def test_a_mixture_of_the_two_sets_is_refused(install, classic):
    """Both are taken away: uninstalling one of them alone deletes files of the other."""
    install(**{**ONEDL, **classic})
    text = message()
    name, version = next((name.replace('_', '-'), version) for name, version in classic.items())
    assert f'{name} {version} and onedl-mmengine 0.10.12' in text and 'own the same files' in text
    assert commands(text) == [
        f'python -m pip uninstall -y {name} onedl-mmengine onedl-mmcv onedl-mmdetection', REINSTALL
    ]


def test_advice_for_an_incomplete_mixture_installs_all_of_onedl(install):
    install(onedl_mmengine='0.10.12')
    uninstall, reinstall = commands(message())
    assert uninstall.split()[5:] == ['mmengine', 'mmdet', 'mmcv-lite', 'onedl-mmengine']
    assert reinstall == REINSTALL


@pytest.mark.parametrize(('changes', 'expected'), [
    (dict(), ['mmengine', 'mmcv-lite', 'mmdet', 'mmyolo']),
    (dict(mmcv_lite=None), ['mmengine', 'mmcv-lite', 'mmdet', 'mmyolo']),
    (dict(mmcv='2.0.1', mmcv_lite=None), ['mmengine', 'mmcv', 'mmdet', 'mmyolo']),
    (ONEDL, ['onedl-mmengine', 'onedl-mmcv', 'onedl-mmdetection', 'mmyolo']),
])
def test_distribution_of_a_package(install, changes, expected):
    install(**changes)
    assert [distribution_of(name) for name in ('mmengine', 'mmcv', 'mmdet', 'mmyolo')] == expected


@pytest.mark.parametrize(('changes', 'expected', 'other'), [
    (dict(), 'uninstall -y mmcv-lite, then python -m pip install "mmcv>=2.0.0,<2.1.0"', 'onedl'),
    (ONEDL, '--no-build-isolation "onedl-mmcv>=2.3.6,<2.4"', 'mmcv-lite'),
])
def test_advice_for_a_missing_operator_is_that_of_the_installed_set(install, changes, expected, other):
    install(**changes)
    text = str(needs_compiled_mmcv('deform_conv'))
    assert expected in text and other not in text


def test_requirements_of_onedl_differ_in_the_hosts_only(repo):
    """The two files list the same packages apart from the hosts; OneDL's are those that the check wants."""
    classic, onedl = (
        {line.split('#')[0].strip() for line in (repo / name).read_text().splitlines()} - {''}
        for name in ('requirements.txt', 'requirements-onedl.txt'))
    assert onedl - classic == set(ONEDL_HOSTS)
    assert {re.match('[a-z-]+', line).group() for line in classic - onedl} == {
        'mmengine', 'mmdet', 'mmcv-lite', 'setuptools'}
