"""Check that nested containers of an untrusted file can be traversed."""
from typing import Any, Dict, Mapping, Optional

from .pickle_names import RestrictedPickleError

MAX_TREE = 50_000_000


def check_tree(content: Any) -> None:
    """Refuse cyclic containers, and shared parts that repeat so often that traversal would not end.

    Args:
        content (Any): Result of an unpickler.

    Raises:
        RestrictedPickleError: It is cyclic or too large.
    """
    sizes: Dict[int, Optional[int]] = {}  # None while the children of a container are visited
    pending = [content]
    while pending:
        node = pending[-1]
        children = list(node.values()) if isinstance(node, dict) else node
        if not isinstance(node, (dict, list, tuple)) or sizes.get(id(node)):
            pending.pop()
        elif id(node) in sizes:
            sizes[id(node)] = 1 + sum(_tree_size(child, sizes) for child in children)
            if sizes[id(node)] > MAX_TREE:
                raise RestrictedPickleError('its shared parts would expand to more than fits in memory')
        else:
            sizes[id(node)] = None
            pending.extend(child for child in children if isinstance(child, (dict, list, tuple)) and
                           not sizes.get(id(child)))


def _tree_size(node: Any, sizes: Mapping[int, Optional[int]]) -> int:
    size = sizes.get(id(node), 1) if isinstance(node, (dict, list, tuple)) else 1
    if size is None:
        raise RestrictedPickleError('a container that contains itself')
    return size
