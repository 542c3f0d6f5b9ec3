"""Provide ``mmcv._ext``, mmcv's compiled extension module, in Python if no compiled mmcv is installed.

Broken: mmdet and mmyolo import ``mmcv.ops``, which imports ``mmcv._ext``. mmyolo 0.6 refuses mmcv from 2.1 on, and
mmcv 2.0.x has no wheels for current PyTorch and does not compile there unpatched. mmcv-lite 2.0.1 is a pure Python
wheel of mmcv without that module.
Remove when mmyolo accepts an mmcv that has wheels for current PyTorch.
"""
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, Optional

__all__ = ['StandInFinder', 'offer_stand_in']

_STAND_IN = Path(__file__).with_name('mmcv_ops') / 'stand_in.py'


class StandInFinder:
    """Finder of the Python ``mmcv._ext``, used if no other finder has found a compiled one.

    Unlike an entry in ``sys.modules``, a finder costs nothing at import, gives precedence to a compiled extension,
    and gives the module a real spec and loader, which ``mmengine.utils.dl_utils.mmcv_full_available`` and
    ``mmcv.utils.ext_loader.check_ops_exist`` look up with ``pkgutil.find_loader`` (gone from Python 3.14).
    """

    @staticmethod
    def find_spec(fullname: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        """Find ``mmcv._ext`` only (the protocol of ``sys.meta_path``)."""
        if fullname != 'mmcv._ext':
            return None
        return importlib.util.spec_from_file_location(fullname, str(_STAND_IN))


def offer_stand_in() -> None:
    """Append the finder to ``sys.meta_path``, once."""
    if StandInFinder not in sys.meta_path:
        sys.meta_path.append(StandInFinder)
