"""Initialize layers by their own ``reset_parameters``."""
import torch.nn as nn


def reset_parameters_of_children(module: nn.Module) -> None:
    """Reinitialize all children of ``module`` by the outermost ``reset_parameters`` of each.

    mmcv's ``ConvModule`` starts from Kaiming-normal weights, YOLO from PyTorch's defaults. This restores the defaults
    and respects layers with their own initialization, such as SEAM.

    Args:
        module (nn.Module): The parent; its own ``reset_parameters`` is not called.
    """
    for child in module.children():
        if hasattr(child, 'reset_parameters'):
            child.reset_parameters()
        else:
            reset_parameters_of_children(child)
