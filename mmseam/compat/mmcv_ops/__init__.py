"""NumPy and PyTorch versions of the ``mmcv._ext`` operators that detectors of mmdet and mmyolo need.

Broken: mmcv 2.0.x, the newest that mmyolo 0.6 accepts, has no wheels for current PyTorch.
Remove when mmyolo accepts an mmcv that has wheels for current PyTorch.

Signatures, in-place outputs and results match mmcv 2.0's C++ and CUDA kernels. They are called by mmcv's own Python
(``mmcv.ops``) and not meant for direct use. Operators that no host detector uses (softmax focal loss, class weights of
sigmoid focal loss, RoIAlign with max pooling) raise NotImplementedError when called.
"""

__all__ = ['needs_compiled_mmcv']


def needs_compiled_mmcv(operator: str) -> NotImplementedError:
    """Build the error for a missing operator.

    Args:
        operator (str): Name of the operator, and of the option if only that is missing.

    Returns:
        NotImplementedError: The error to raise; it says what to do.
    """
    from mmseam.compat.host_versions import ONEDL_MMCV, distribution_of  # reading package metadata takes milliseconds
    installed = distribution_of('mmcv')
    # Without PyTorch in the build environment, and from pip's cache, there are no operators
    build = (f'python -m pip install --force-reinstall --no-deps --no-cache-dir --no-build-isolation "{ONEDL_MMCV}"'
             if installed == 'onedl-mmcv' else
             f'python -m pip uninstall -y {installed}, then python -m pip install "mmcv>=2.0.0,<2.1.0"')
    return NotImplementedError(
        f'the operator `{operator}` exists only in a compiled mmcv, and {installed} is installed without it: build '
        f'mmcv with a compiler ({build}), or choose a model that does not use it')
