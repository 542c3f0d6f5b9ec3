"""Initialization by each layer's own ``reset_parameters``."""
import torch.nn as nn


def reset_parameters_of_children(module: nn.Module) -> None:
    """Re-initialize all that lies below ``module``, each part by the nearest ``reset_parameters``.

    mmcv's ``ConvModule`` starts from Kaiming-normal weights while YOLO trains from PyTorch's default; this restores
    the default and leaves layers that define their own start (SEAM, for one) to themselves.

    Args:
        module (nn.Module): The parent; its own ``reset_parameters`` is not called.
    """
    for child in module.children():
        if hasattr(child, 'reset_parameters'):
            child.reset_parameters()
        else:
            reset_parameters_of_children(child)
