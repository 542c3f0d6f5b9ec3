"""Serve ``mmcv._ext``, the compiled half of mmcv, from Python where nothing compiled is installed.

Reason: mmdet and mmyolo import ``mmcv.ops``, which imports the extension module ``mmcv._ext``. mmcv 2.0.x is the newest
that mmyolo 0.6 accepts; it has no wheel for today's PyTorch, and its sources no longer compile there unpatched.
mmcv-lite 2.0.1 is a pure wheel with all of mmcv's Python and without that one module.
Remove when: mmyolo accepts an mmcv that has wheels for current PyTorch.
"""
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, Optional

__all__ = ['StandInFinder', 'offer_stand_in']

_STAND_IN = Path(__file__).with_name('mmcv_ops') / 'stand_in.py'


class StandInFinder:
    """Finds the stand-in for ``mmcv._ext`` when no finder before it found a compiled one.

    A finder, rather than an entry in ``sys.modules``, costs nothing at import, leaves a compiled extension alone by
    itself, and gives the module a true spec and loader, which ``mmengine.utils.dl_utils.mmcv_full_available`` and
    ``mmcv.utils.ext_loader.check_ops_exist`` look for by ``pkgutil.find_loader`` (gone from Python 3.14).
    """

    @staticmethod
    def find_spec(fullname: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        """Part of the protocol of ``sys.meta_path``; answers for ``mmcv._ext`` alone."""
        if fullname != 'mmcv._ext':
            return None
        return importlib.util.spec_from_file_location(fullname, str(_STAND_IN))


def offer_stand_in() -> None:
    """Put the finder behind all others, once."""
    if StandInFinder not in sys.meta_path:
        sys.meta_path.append(StandInFinder)
