"""One throw-away environment for all tests of this folder."""
import pytest

from .environment import BUILD, OPENMIM, Environment, copy_checkout


@pytest.fixture(scope='session')
def checkout(repo, tmp_path_factory):
    return copy_checkout(repo, tmp_path_factory.mktemp('checkout'))


@pytest.fixture(scope='session')
def environment(repo, tmp_path_factory):
    return Environment(tmp_path_factory.mktemp('environment') / 'venv', repo / 'constraints.txt')


@pytest.fixture(scope='session', params=['wheel', 'editable'])
def installed(request, checkout, environment):
    """Return the environment with mmseam installed in one of the two ways."""
    if request.param == 'wheel':
        environment.run('python', '-c', BUILD.format('wheel'), cwd=checkout)
        environment.pip(next((checkout / 'dist').glob('*.whl')))
    else:
        environment.run('python', '-m', 'pip', 'uninstall', '--quiet', '--yes', 'mmseam')
        environment.pip('--no-build-isolation', '--editable', checkout)
    # As README.md says; alone, MIM would bring an older setuptools.
    environment.run('python', '-m', 'pip', 'install', '--quiet', OPENMIM, 'setuptools>=77,<82')
    return environment
