"""The module that ``import mmcv._ext`` loads where no compiled one is installed (see ``mmseam.compat.mmcv_ext``)."""
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
    """Asked by ``mmcv.utils.collect_env``, which writes the same word where mmcv has no ops."""
    return 'n/a'


get_compiling_cuda_version = get_compiler_version


def __getattr__(name: str) -> Callable:
    """Any other operator exists, so that ``mmcv.ops`` imports, and says what to do when it is called."""
    if name.startswith('__'):
        raise AttributeError(name)

    def missing_op(*args: Any, **kwargs: Any) -> None:
        raise needs_compiled_mmcv(name)

    return missing_op
