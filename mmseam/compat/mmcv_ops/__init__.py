"""The operators of ``mmcv._ext`` that the detectors of mmdet and mmyolo need, in NumPy and plain PyTorch.

Signatures, in-place outputs and results are those of mmcv 2.0's C++ and CUDA kernels. The code that calls them is
mmcv's own Python (``mmcv.ops``), so nothing here is for direct use. What no detector of the hosts asks for (softmax
focal loss, class weights of the sigmoid one, RoIAlign with maximum pooling) raises NotImplementedError when called.
"""

__all__ = ['needs_compiled_mmcv']


def needs_compiled_mmcv(operator: str) -> NotImplementedError:
    """Build the error of an operator that is missing here; it says what to do.

    Args:
        operator (str): Name of the operator, and of the option where only that is missing.

    Returns:
        NotImplementedError: To be raised.
    """
    return NotImplementedError(
        f'the operator `{operator}` exists only in a compiled mmcv, and mmcv-lite is installed: build mmcv with a '
        'compiler (python -m pip uninstall -y mmcv-lite, then python -m pip install "mmcv>=2.0.0,<2.1.0"), or '
        'choose a model that does not use it')
