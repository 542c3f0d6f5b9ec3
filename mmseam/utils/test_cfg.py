"""Validate the postprocessing settings (``test_cfg``).

They come from configs, where a typo would be ignored or fail later, and from the metadata of exported files, where mmcv
would evaluate an unknown NMS type as Python.
"""
import difflib
from numbers import Integral, Real
from typing import Any, Callable, Dict, Iterable, Mapping

REQUIRED_KEYS = ('multi_label', 'nms', 'max_per_img')
_LARGEST = 10 ** 9


class _Number:
    """A finite number in a closed interval."""

    def __init__(self, low: float, high: float, kind: type = Real) -> None:
        self.low, self.high, self.kind = low, high, kind

    def __call__(self, value: Any) -> bool:
        return isinstance(value, self.kind) and not isinstance(value, bool) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f'{"a whole" if self.kind is Integral else "a"} number from {self.low:g} to {self.high:g}'


class _Choice:
    """One of a few values."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __call__(self, value: Any) -> bool:
        return any(value is one or type(value) is str and value == one for one in self.values)

    def __str__(self) -> str:
        return ' or '.join(map(repr, self.values))


_SETTINGS: Dict[str, Callable[[Any], bool]] = {
    'multi_label': _Choice(True, False),
    'score_thr': _Number(-1, 1),
    'nms_pre': _Number(1, _LARGEST, Integral),
    'max_per_img': _Number(1, _LARGEST, Integral),
    'min_bbox_size': _Number(-1, _LARGEST),
}
_SPLIT = {'class_agnostic': _Choice(True, False), 'split_thr': _Number(0, _LARGEST, Integral)}
_NMS: Dict[str, Dict[str, Callable[[Any], bool]]] = {
    'nms': {
        **_SPLIT, 'iou_threshold': _Number(0, 1), 'score_threshold': _Number(0, 1),
        'max_num': _Number(-1, _LARGEST, Integral), 'offset': _Number(0, 1, Integral)
    },
    'soft_nms': {
        **_SPLIT, 'iou_threshold': _Number(0, 1), 'sigma': _Number(1e-6, 1e6), 'min_score': _Number(0, 1),
        'method': _Choice('linear', 'gaussian', 'naive'), 'offset': _Number(0, 1, Integral)
    },
}


def check_test_cfg(test_cfg: Mapping[str, Any], required: Iterable[str] = ()) -> None:
    """Check the postprocessing settings.

    Args:
        test_cfg (Mapping[str, Any]): ``score_thr``, ``nms_pre``, ``max_per_img``, ``min_bbox_size``, ``multi_label``
            and ``nms``, which is None or a dict of mmcv's kind.
        required (Iterable[str]): Keys that must be there. Defaults to ().

    Raises:
        ValueError: A key is unknown or missing, a value is of the wrong type or out of range, or ``nms.type`` is
            neither 'nms' nor 'soft_nms'.
    """
    if not isinstance(test_cfg, Mapping):
        raise ValueError(f'test_cfg must be a dict, not a {type(test_cfg).__name__}')
    missing = [key for key in required if key not in test_cfg]
    if missing:
        raise ValueError(f'test_cfg has no {" and no ".join(missing)}')
    settings = {key: value for key, value in test_cfg.items() if key != 'nms'}
    _check_values('test_cfg', settings, _SETTINGS, ('nms', ))
    check_nms_cfg(test_cfg.get('nms'))


def check_nms_cfg(nms: Any) -> None:
    """Check the settings of NMS.

    Args:
        nms (Mapping[str, Any] or None): ``test_cfg['nms']``; None: no NMS.

    Raises:
        ValueError: See :func:`check_test_cfg`.
    """
    if nms is None:
        return
    if not isinstance(nms, Mapping):
        raise ValueError(f'test_cfg.nms must be a dict or None, not a {type(nms).__name__}')
    kind = nms.get('type', 'nms')
    if not isinstance(kind, str) or kind not in _NMS:
        raise ValueError(f'test_cfg.nms.type must be {" or ".join(map(repr, _NMS))}, not {_shown(kind)}')
    _check_values('test_cfg.nms', {key: value for key, value in nms.items() if key != 'type'}, _NMS[kind], ('type', ))


def _check_values(where: str, values: Mapping[str, Any], rules: Mapping[str, Callable[[Any], bool]],
                  further: Iterable[str]) -> None:
    for key, value in values.items():
        if key == '_scope_':  # MMEngine's mark of inherited configs
            continue
        if key not in rules:
            known = [*rules, *further]
            near = difflib.get_close_matches(str(key)[:100], known, n=1)
            hint = f'did you mean {near[0]!r}?' if near else f'known keys: {", ".join(known)}'
            raise ValueError(f'{where} has the unknown key {_shown(key)}; {hint}')
        if not rules[key](value):
            raise ValueError(f'{where}.{key} must be {rules[key]}, not {_shown(value)}')


def _shown(value: Any) -> str:
    """Format an untrusted value of any size for an error message."""
    if isinstance(value, (str, bool, float, type(None))):
        return repr(value[:50] if isinstance(value, str) else value)
    return str(value) if isinstance(value, Integral) and abs(value) < 1 << 64 else f'a {type(value).__name__}'
