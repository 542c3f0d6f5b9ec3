"""Make mmdet 3 and mmyolo 0.6 run on current PyTorch; each module fixes one problem of the host packages."""
from types import ModuleType

from .import_hooks import after_import, before_import
from .mmcv_ext import offer_stand_in
from .mmyolo_import import accept_new_mmcv

__all__ = ['prepare_host']

_HOSTS = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmyolo')


def prepare_host() -> None:
    """Apply all fixes as soon as the host packages are imported; called once, by ``import mmseam``.

    Raises:
        HostVersionError: A host package is already imported, and one is missing or has an unsupported version. If none
            is imported yet, importing one raises it.
    """
    before_import(_HOSTS, _check_host_versions)
    offer_stand_in()
    accept_new_mmcv()
    after_import('mmengine', _prepare_mmengine)
    after_import('mmengine.runner.checkpoint', _protect_checkpoint_loaders)


def _check_host_versions() -> None:
    from .host_versions import check_host_versions  # reading package metadata takes as long as all of `mmseam --help`
    check_host_versions()


def _prepare_mmengine(_: ModuleType) -> None:
    # Imported here because they import MMEngine and PyTorch
    from mmengine.config.utils import MODULE2PACKAGE

    from .host_warnings import hide_host_warnings
    from .local_files import write_local_files_atomically
    # MMEngine resolves `_base_ = 'mmseam::…'` only for packages in this table.
    MODULE2PACKAGE['mmseam'] = 'mmseam'
    hide_host_warnings()
    write_local_files_atomically()


def _protect_checkpoint_loaders(loaders: ModuleType) -> None:
    from .safe_checkpoints import protect_checkpoint_loaders  # imports MMEngine
    protect_checkpoint_loaders(loaders)
