"""mmseam: occlusion attention (SEAM, MultiSEAM) and YOLO11 for MMDetection and MMYOLO."""
from mmseam.compat import prepare_host

prepare_host()

from mmengine.config.utils import MODULE2PACKAGE  # noqa: E402

from mmseam.utils.setup_env import setup_onednn_cache  # noqa: E402
from mmseam.version import __version__  # noqa: E402

setup_onednn_cache()

# MMEngine resolves `_base_ = 'mmseam::…'` only for packages that stand in this table when the config is parsed.
MODULE2PACKAGE['mmseam'] = 'mmseam'

__all__ = ['__version__']
