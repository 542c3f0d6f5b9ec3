"""Registration of everything at once."""
import importlib

_PACKAGES = ('datasets', 'engine', 'evaluation', 'models')


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import all that mmyolo and mmseam register; ``mmengine.hub`` calls this, and so may a notebook.

    Args:
        init_default_scope (bool): Make ``mmseam`` the default scope, in which mmseam's and mmyolo's names need no
            prefix. Defaults to True.
    """
    # Here, so that the helpers of this package can be imported without a framework, as the protocol does.
    from mmengine.registry import DefaultScope
    from mmyolo.utils import register_all_modules as register_all_modules_of_mmyolo
    register_all_modules_of_mmyolo(init_default_scope=False)
    for name in _PACKAGES:
        importlib.import_module(f'mmseam.{name}')
    if init_default_scope and DefaultScope.get_current_instance() is None:
        DefaultScope.get_instance('mmseam', scope_name='mmseam')
