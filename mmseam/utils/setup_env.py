"""Set up the registries and the environment of PyTorch once per process."""
import importlib
import os

_PACKAGES = ('datasets', 'engine', 'evaluation', 'models')


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register all modules of mmyolo and mmseam; called by ``mmengine.hub`` and usable in notebooks.

    Args:
        init_default_scope (bool): Make ``mmseam`` the default scope, in which mmseam's and mmyolo's names need no
            prefix. Defaults to True.
    """
    # Imported here so that the NumPy protocol can import this package without a framework.
    from mmengine.registry import DefaultScope
    from mmyolo.utils import register_all_modules as register_all_modules_of_mmyolo
    register_all_modules_of_mmyolo(init_default_scope=False)
    for name in _PACKAGES:
        importlib.import_module(f'mmseam.{name}')
    if init_default_scope and DefaultScope.get_current_instance() is None:
        DefaultScope.get_instance('mmseam', scope_name='mmseam')


def setup_onednn_cache() -> None:
    """Raise oneDNN's kernel cache to 8192 entries unless the environment sets it.

    oneDNN, PyTorch's backend of convolutions on a CPU, compiles a kernel for each convolution and each size of its
    input, and keeps 1024 of them. A detector of 200 convolutions that gets images padded to their own shape, or is
    trained on several scales, needs more from its sixth size on, and then compiles many of them again for each image:
    with YOLO11n-MultiSEAM on images of seven sizes, 91 ms per image were measured instead of 87 ms (medians of nine
    passes). The variable is read at the first convolution of the process.
    """
    os.environ.setdefault('ONEDNN_PRIMITIVE_CACHE_CAPACITY', '8192')
