"""PyTorch on a CPU: room for the convolutions of more than a few image sizes.

oneDNN compiles a kernel for each convolution and each size of its input, and keeps 1024 of them. A detector of 200
convolutions that is shown images padded to their own shape, or trained on several scales, needs more with its sixth
size on, and then compiles many of them again for each image: measured with YOLO11n-MultiSEAM on images of seven sizes
(medians of nine passes), 91 ms an image instead of 87 ms. The setting has effect until the first convolution of the
process.
"""
import os

__all__ = ['enlarge_kernel_cache']


def enlarge_kernel_cache() -> None:
    """Let oneDNN keep 8192 kernels, unless the environment says otherwise."""
    os.environ.setdefault('ONEDNN_PRIMITIVE_CACHE_CAPACITY', '8192')
