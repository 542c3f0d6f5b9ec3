"""Select AdamW for short trainings."""
from typing import Optional

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper

SHORT_TRAINING = 10000  # Optimizer steps up to which Ultralytics' `optimizer=auto` takes AdamW


def automatic_optimizer(optim_wrapper: OptimWrapper, num_steps: int, num_classes: int) -> Optional[torch.optim.AdamW]:
    """Replace the optimizer by AdamW if the training is short.

    Follows Ultralytics' ``optimizer=auto``: AdamW for up to 10,000 steps, with a learning rate that decreases with the
    number of classes, otherwise the SGD of the config. Parameter groups and their weight decay are kept.

    Args:
        optim_wrapper (OptimWrapper): The wrapper, changed in place.
        num_steps (int): Optimizer steps of the training.
        num_classes (int): Classes of the detector.

    Returns:
        AdamW, optional: The new optimizer, None if the old one stays.
    """
    if num_steps > SHORT_TRAINING:
        return None
    rate = round(0.002 * 5 / (4 + num_classes), 6)
    groups = [dict(params=group['params'], weight_decay=group['weight_decay'])
              for group in optim_wrapper.optimizer.param_groups]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.999), weight_decay=0.0)
    optim_wrapper.optimizer = optimizer
    if optim_wrapper.base_param_settings is not None:  # The log's `base_lr`
        optim_wrapper.base_param_settings.update(optimizer.defaults)
    print_log(f'{num_steps} optimizer steps: AdamW with a learning rate of {rate}', 'current')
    return optimizer
