"""Python version of ``mmcv._ext``, loaded if no compiled one is installed (see ``mmseam.compat.mmcv_ext``)."""
from typing import Any, Callable

from mmseam.compat.mmcv_ops import needs_compiled_mmcv
from mmseam.compat.mmcv_ops.focal_loss import sigmoid_focal_loss_backward, sigmoid_focal_loss_forward
from mmseam.compat.mmcv_ops.nms import nms
from mmseam.compat.mmcv_ops.roi_align import roi_align_backward, roi_align_forward
from mmseam.compat.mmcv_ops.soft_nms import softnms

__all__ = [
    'get_compiler_version', 'get_compiling_cuda_version', 'nms', 'roi_align_backward', 'roi_align_forward',
    'sigmoid_focal_loss_backward', 'sigmoid_focal_loss_forward', 'softnms'
]


def get_compiler_version() -> str:
    """Return what ``mmcv.utils.collect_env`` reports for mmcv without ops."""
    return 'n/a'


get_compiling_cuda_version = get_compiler_version


def __getattr__(name: str) -> Callable:
    """Return a function that raises an error when called, so that ``mmcv.ops`` can be imported."""
    if name.startswith('__'):
        raise AttributeError(name)

    def missing_op(*args: Any, **kwargs: Any) -> None:
        raise needs_compiled_mmcv(name)

    return missing_op
