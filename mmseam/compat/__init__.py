"""All that lets mmdet 3.3 and mmyolo 0.6 run on today's PyTorch, and nothing else; each module is one repair."""
from .host_versions import check_host_versions

__all__ = ['prepare_host']


def prepare_host() -> None:
    """Make the host packages usable; called once, first thing, when ``mmseam`` is imported.

    Raises:
        HostVersionError: A host package is missing or of a version that does not work.
    """
    check_host_versions()
    # Here, since they import hosts: a missing one is named by the check, not by an ImportError.
    from .local_files import write_local_files_atomically
    from .mmcv_ext import offer_stand_in
    from .safe_checkpoints import protect_checkpoint_loaders
    offer_stand_in()
    protect_checkpoint_loaders()
    write_local_files_atomically()
