"""The stand-in for mmcv._ext: there when nothing is compiled, away when something is."""
import pkgutil
import subprocess
import sys

import mmcv
import mmcv._ext as ext
import mmcv.ops
import pytest
from mmengine.model import revert_sync_batchnorm
from torch import nn

from mmseam.compat.host_versions import distribution_of

pytestmark = pytest.mark.skipif('mmseam' not in ext.__file__, reason='a compiled mmcv is installed')


def run(code, *args):
    """Return the standard output of a second Python process."""
    done = subprocess.run([sys.executable, '-c', code, *args], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_all_of_mmcv_ops_is_there():
    assert len(mmcv.ops.__all__) > 90
    assert all(callable(getattr(mmcv.ops, name)) for name in mmcv.ops.__all__)


def test_the_module_is_a_true_one():
    assert mmcv._ext is ext
    assert ext.__spec__.name == 'mmcv._ext' and ext.__spec__.origin == ext.__file__
    assert not hasattr(ext, '__path__')


@pytest.mark.skipif(sys.version_info >= (3, 14), reason='pkgutil.find_loader is gone')
def test_the_probes_of_mmcv_and_mmengine_find_it():
    assert mmcv.utils.ext_loader.check_ops_exist()
    assert pkgutil.find_loader('mmcv._ext') is not None
    model = revert_sync_batchnorm(nn.Sequential(nn.SyncBatchNorm(4)))
    assert isinstance(model[0], nn.modules.batchnorm._BatchNorm) and not isinstance(model[0], nn.SyncBatchNorm)


def test_a_missing_operator_says_so_when_called():
    installed = distribution_of('mmcv')
    with pytest.raises(NotImplementedError, match=f'`deform_conv_forward`.*{installed} is installed.*pip install'):
        ext.deform_conv_forward()
    assert not hasattr(ext, '__no_such_dunder__')


def test_environment_report_works():
    from mmcv.utils import collect_env
    assert collect_env()['MMCV Compiler'] == 'n/a'


def test_a_compiled_extension_is_left_alone(tmp_path):
    """A module file on mmcv's path plays the compiled one."""
    (tmp_path / '_ext.py').write_text('compiled = True\n')
    code = 'import sys, mmcv; mmcv.__path__.append(sys.argv[1]); import mmseam, mmcv._ext as ext; print(ext.__file__)'
    assert run(code, str(tmp_path)) == str(tmp_path / '_ext.py')


def test_mmseam_brings_neither_mmcv_nor_models_along():
    code = ('import sys, mmseam; '
            'print(sorted({"mmcv", "mmdet", "mmyolo", "cv2", "pkg_resources", "torchvision"} & set(sys.modules)))')
    assert run(code) == '[]'


def test_preparing_twice_changes_nothing():
    from mmseam.compat import prepare_host
    before = list(sys.meta_path)
    prepare_host()
    assert sys.meta_path == before
