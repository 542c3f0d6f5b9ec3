"""Fixtures shared by all tests."""
import os
import signal
from pathlib import Path

import pytest

import mmseam  # noqa: F401  (prepares the host packages before any test imports them)

# A shell lets its background jobs ignore Ctrl-C, and all processes that they start; the tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope='session')
def test_data() -> Path:
    """Folder of third-party test data, named by ``MMSEAM_TEST_DATA``; the test is skipped without it."""
    folder = os.environ.get('MMSEAM_TEST_DATA')
    if not folder:
        pytest.skip('MMSEAM_TEST_DATA is not set: no third-party test data here')
    path = Path(folder).resolve()
    if not path.is_dir():
        raise FileNotFoundError(f'MMSEAM_TEST_DATA names {path}, which is not a folder')
    return path


@pytest.fixture(scope='module', autouse=True)
def no_default_scope():
    """Each module starts as a process does: the default scope that a runner of another module has set is gone."""
    from mmengine.registry import DefaultScope
    DefaultScope._instance_dict.clear()


@pytest.fixture(scope='session')
def repo() -> Path:
    """Root of the checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope='session')
def metadata():
    """Return a function that makes the metadata of an export of the small detector."""
    from small_detector import METADATA

    from mmseam.inference.metadata import ModelMetadata
    return lambda **changes: ModelMetadata(**{**METADATA, **changes})
