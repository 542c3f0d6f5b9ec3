"""Load a trained detector from a config and a checkpoint."""
from pathlib import Path
from typing import Tuple, Union

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader
from torch import nn

from mmseam.datasets.contents import class_names
from mmseam.registry import MODELS
from mmseam.utils.checkpoint_match import check_checkpoint_file, require_match
from mmseam.utils.config import ConfigError


def load_trained_detector(cfg: Config, checkpoint: Union[str, Path]) -> Tuple[nn.Module, dict]:
    """Build the detector of a config with trained weights, on the CPU.

    Args:
        cfg (Config): The config.
        checkpoint (str or Path): File or URL of the weights.

    Returns:
        tuple: The detector in evaluation mode, and ``meta`` of the checkpoint.

    Raises:
        FileNotFoundError: The checkpoint does not exist.
        CheckpointMismatchError: The checkpoint does not match the config.
    """
    check_checkpoint_file(checkpoint)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmyolo')):
        detector = MODELS.build(cfg.model)
    loaded = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu')
    require_match(detector, loaded)
    detector.load_state_dict(loaded.get('state_dict', loaded), strict=False)
    return detector.eval(), loaded.get('meta', {})


def read_classes(cfg: Config, meta: dict) -> Tuple[str, ...]:
    """Read the class names of a trained detector.

    Args:
        cfg (Config): Its config.
        meta (dict): ``meta`` of its checkpoint.

    Returns:
        tuple[str, ...]: The names in the checkpoint, or else those of the config's test dataset.

    Raises:
        ConfigError: Neither names the classes.
    """
    stored = {name.lower(): value for name, value in (meta.get('dataset_meta') or meta).items()}
    if 'classes' in stored:
        return tuple(stored['classes'])
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmyolo')):
        names = class_names((cfg.get('test_dataloader') or {}).get('dataset') or {})
    if names is None or isinstance(names, str):
        raise ConfigError('neither the checkpoint nor the test set of the config names the classes; set '
                          'test_dataloader.dataset.metainfo.classes to a tuple of names')
    return tuple(names)
