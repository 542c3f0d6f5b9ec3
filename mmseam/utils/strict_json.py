"""Strict JSON, which has no NaN and no infinity."""
import json
import math
from typing import Any


def dump_json(value: Any, sort_keys: bool = False) -> str:
    """Format a value as indented JSON, with null for NaN and infinity.

    Args:
        value (Any): Nested dicts, lists and tuples of plain values.
        sort_keys (bool): Whether to sort the keys of dicts. Defaults to False.

    Returns:
        str: The text, with a newline at its end.

    Example:
        >>> print(dump_json(dict(ap=float('nan'), boxes=3)), end='')
        {
         "ap": null,
         "boxes": 3
        }
    """
    return json.dumps(_replace_non_finite(value), indent=1, sort_keys=sort_keys, ensure_ascii=False,
                      allow_nan=False) + '\n'


def _replace_non_finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _replace_non_finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replace_non_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
