"""Runs a test with each kernel that an operator may have here."""
import pytest

from mmseam.compat.mmcv_ops import nms, roi_align
from mmseam.compat.mmcv_ops.torchvision_ops import torchvision_ops

KERNELS = ['plain'] if torchvision_ops('cpu') is None else ['plain', 'torchvision']


@pytest.fixture(scope='module', params=KERNELS)
def kernel(request):
    """'plain' hides torchvision from the operators."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == 'plain':
            for module in (nms, roi_align):
                patch.setattr(module, 'torchvision_ops', lambda device_type: None)
        yield
