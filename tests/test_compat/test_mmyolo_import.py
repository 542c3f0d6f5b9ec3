"""mmyolo is imported beside an mmcv that its assertion refuses, and mmcv keeps its version."""
import subprocess
import sys

import pytest

CODE = """
import sys
import mmcv
mmcv.__version__ = sys.argv[1]
import mmseam
import mmyolo.version
assert mmcv.__version__ == sys.argv[1], mmcv.__version__
print('imported')
"""


def import_beside(version, code=CODE):
    return subprocess.run([sys.executable, '-c', code, version], capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize('version', ['2.0.1', '2.1.0rc1', '2.3.6'])
def test_mmyolo_is_imported_beside_any_new_mmcv(version):
    done = import_beside(version)
    assert done.stdout == 'imported\n', done.stderr


def test_without_mmseam_mmyolo_refuses_it():
    """The reason for the finder: when this test fails, it can go."""
    done = import_beside('2.1.0', CODE.replace('import mmseam\n', ''))
    assert done.returncode and 'Please install mmcv>=2.0.0rc4, <2.1.0' in done.stderr


def test_an_mmcv_that_is_too_old_is_still_refused():
    done = import_beside('1.7.2')
    assert done.returncode and 'MMCV==1.7.2 is used but incompatible' in done.stderr
