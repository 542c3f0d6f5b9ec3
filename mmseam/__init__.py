"""mmseam: occlusion attention (SEAM, MultiSEAM) and YOLO11 for MMDetection and MMYOLO."""
from mmseam.compat import prepare_host
from mmseam.utils.setup_env import setup_onednn_cache
from mmseam.version import __version__

prepare_host()
setup_onednn_cache()

__all__ = ['__version__']
