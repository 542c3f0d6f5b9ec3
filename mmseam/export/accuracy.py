"""What an exported file reaches on a test set."""
import copy
from pathlib import Path
from typing import Dict, Union

from mmengine.config import Config
from mmengine.runner import Runner


def evaluate_file(cfg: Config, file: Union[str, Path]) -> Dict[str, float]:
    """Measure an exported file by the test set and the metrics of a config.

    Args:
        cfg (Config): The config the file was exported with; it is not changed.
        file (str or Path): The exported file.

    Returns:
        dict[str, float]: The metrics.

    Raises:
        ConfigError: The file does not fit the config.
    """
    from mmseam.inference.exported_model_options import set_exported_model
    cfg = copy.deepcopy(cfg)
    cfg.log_level = 'WARNING'
    cfg.work_dir = str(Path(cfg.work_dir) / Path(file).stem)
    set_exported_model(cfg, str(file))
    return {name: float(value) for name, value in Runner.from_cfg(cfg).test().items()}
