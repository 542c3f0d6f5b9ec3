"""Make mmdet 3.3 and mmyolo 0.6 run on current PyTorch; each module fixes one problem of the host packages."""
from .host_versions import check_host_versions

__all__ = ['prepare_host']


def prepare_host() -> None:
    """Apply all fixes; called once, at the start of ``import mmseam``.

    Raises:
        HostVersionError: A host package is missing or has an unsupported version.
    """
    check_host_versions()
    # Imported here because they import host packages: the check reports a missing one, not an ImportError.
    from .local_files import write_local_files_atomically
    from .mmcv_ext import offer_stand_in
    from .safe_checkpoints import protect_checkpoint_loaders
    offer_stand_in()
    protect_checkpoint_loaders()
    write_local_files_atomically()
