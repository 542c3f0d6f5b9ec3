"""Recognize YOLO11 checkpoints and their size."""
from itertools import zip_longest

from .errors import CheckpointError
from .ultralytics_reader import UltralyticsCheckpoint
from .yolo11_keys import HEAD_PREFIX, YOLO11_LAYERS

# Size by stem channels and number of attention blocks in C2PSA; each pair is unique
_SIZES = {(16, 1): 'n', (32, 1): 's', (64, 1): 'm', (64, 2): 'l', (96, 2): 'x'}
_STEM = 'model.0.conv.weight'


def check_yolo11(checkpoint: UltralyticsCheckpoint) -> None:
    """Check that a checkpoint is a YOLO11 with a box and a class branch on three levels.

    Args:
        checkpoint (UltralyticsCheckpoint): The checkpoint.

    Raises:
        CheckpointError: It has another architecture, or its BatchNorm layers are fused; the message says where.
    """
    path, layers = checkpoint.path, checkpoint.layers
    for index, (found, expected) in enumerate(zip_longest(layers[:-1], YOLO11_LAYERS, fillvalue='nothing')):
        if found != expected:
            raise CheckpointError(
                f'{path}: not a YOLO11: layer {index} is {found} where YOLO11 has {expected} '
                f'(a network of {len(layers)} layers with the head {layers[-1] if layers else "missing"})')
    if _STEM in checkpoint.state_dict and 'model.0.bn.weight' not in checkpoint.state_dict:
        raise CheckpointError(
            f'{path}: its BatchNorm layers are fused into the convolutions, which cannot be undone. Give the '
            'checkpoint of the training (best.pt or last.pt) instead')
    for branch in ('cv2', 'cv3'):
        predictors = (f'{HEAD_PREFIX}{branch}.{level}.2.weight' for level in range(3))
        missing = [predictor for predictor in predictors if predictor not in checkpoint.state_dict]
        if missing:
            raise CheckpointError(f'{path}: not a YOLO11 detector: its head {layers[-1]} has no {", ".join(missing)}')


def yolo11_size(checkpoint: UltralyticsCheckpoint) -> str:
    """Infer the size of a YOLO11 from its tensors.

    Args:
        checkpoint (UltralyticsCheckpoint): A YOLO11.

    Returns:
        str: 'n', 's', 'm', 'l', 'x', or 'custom' for another width or depth.
    """
    state_dict = checkpoint.state_dict
    stem = state_dict[_STEM].size(0)
    attention_blocks = _num_blocks(state_dict, 10)
    depths = {_num_blocks(state_dict, index) for index, layer in enumerate(YOLO11_LAYERS) if layer == 'C3k2'}
    return _SIZES.get((stem, attention_blocks), 'custom') if depths == {attention_blocks} else 'custom'


def _num_blocks(state_dict: dict, layer: int) -> int:
    return len({key.split('.')[3] for key in state_dict if key.startswith(f'model.{layer}.m.')})
