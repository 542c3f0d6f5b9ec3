"""Access to torchvision's compiled operators."""
from functools import cache
from types import ModuleType
from typing import Optional

import torch

__all__ = ['torchvision_ops']


@cache
def torchvision_ops(device_type: str) -> Optional[ModuleType]:
    """Return ``torchvision.ops`` if its operators run on a device, else None; tried once per device type.

    Args:
        device_type (str): ``torch.device.type``.
    """
    try:
        from torchvision import ops  # optional, and an installed one may not load
        ops.nms(torch.zeros(1, 4, device=device_type), torch.zeros(1, device=device_type), 0.5)
    except Exception:  # missing: ImportError; built for another torch: RuntimeError, OSError, AttributeError, …
        return None
    return ops
