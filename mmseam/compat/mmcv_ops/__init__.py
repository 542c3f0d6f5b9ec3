"""The operators of ``mmcv._ext`` that the detectors of mmdet and mmyolo need, in NumPy and plain PyTorch.

Signatures, in-place outputs and results are those of mmcv 2.0's C++ and CUDA kernels. The code that calls them is
mmcv's own Python (``mmcv.ops``), so nothing here is for direct use.
"""
