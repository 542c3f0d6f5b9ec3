"""What a Python user calls; each name is imported when it is first used."""
import importlib
from typing import Any, List

_MODULES = dict(
    load_detector='detector', Detector='detector', DetectionResult='results', open_source='sources')

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(f'mmseam.inference.{_MODULES[name]}'), name)


def __dir__() -> List[str]:
    return [*globals(), *__all__]
