"""Apply the command-line options of ``tools/test.py`` to the config."""
import argparse

from mmdet.engine.hooks.utils import trigger_visualization_hook
from mmengine.config import Config, ConfigDict

from mmseam.analysis.check_config import check_config
from mmseam.analysis.check_files import check_files
from mmseam.inference.backends import is_exported
from mmseam.inference.exported_detector import set_exported_model
from mmseam.utils.checkpoint_match import check_checkpoint_file
from mmseam.utils.config import ConfigError, innermost_dataset, load_config, set_hook, set_launcher

from .shorthands import expand_shorthands


def load_test_config(args: argparse.Namespace) -> Config:
    """Load and check the config of a test.

    Args:
        args (argparse.Namespace): Options of ``tools/test.py``.

    Returns:
        Config: The config, with the checkpoint in ``load_from`` or the exported file in ``model``.

    Raises:
        ConfigError: The config, an option or the exported file is invalid.
        CheckpointMismatchError: The checkpoint is in Ultralytics' format.
        FileNotFoundError: The checkpoint does not exist.
        YOLODataError: The data file or a label file is malformed.
    """
    cfg = load_config(args.config, args.cfg_options, args.work_dir, expand_shorthands(args))
    check_config(cfg)
    check_files(cfg, ('test', ))
    if is_exported(args.checkpoint):
        check_exported_options(args)
        set_exported_model(cfg, args.checkpoint, args.tta)
    else:
        set_checkpoint(cfg, args.checkpoint, args.deploy)
    if args.show or args.show_dir:
        cfg = trigger_visualization_hook(cfg, args)
    set_hook(cfg, 'DataCheckHook')
    if args.json_prefix:
        set_format_only(cfg, args.json_prefix)
    if args.tta:
        enable_tta(cfg)
    set_launcher(cfg, args.launcher, args.local_rank)
    return cfg


def set_checkpoint(cfg: Config, checkpoint: str, deploy: bool) -> None:
    """Set the checkpoint to test.

    Args:
        cfg (Config): The config, changed in place.
        checkpoint (str): The checkpoint.
        deploy (bool): Whether to test the fused form of the model.

    Raises:
        CheckpointMismatchError: The checkpoint is in Ultralytics' format.
        FileNotFoundError: The checkpoint does not exist.
    """
    check_checkpoint_file(checkpoint)
    cfg.load_from = checkpoint
    set_hook(cfg, 'CheckpointMatchHook', strict=True)
    if deploy:
        set_hook(cfg, 'SwitchToDeployHook')


def check_exported_options(args: argparse.Namespace) -> None:
    """Reject options that exported files do not support.

    Args:
        args (argparse.Namespace): Options of ``tools/test.py``.

    Raises:
        ConfigError: An option is not supported.
    """
    if args.launcher != 'none':
        raise ConfigError(f'--launcher {args.launcher}: an exported model is tested by one process; leave it out')
    if args.deploy:
        raise ConfigError(f'--deploy: {args.checkpoint} is already fused; leave it out')


def set_format_only(cfg: Config, prefix: str) -> None:
    """Write the detections as COCO JSON instead of evaluating them.

    Args:
        cfg (Config): The config, changed in place.
        prefix (str): Path of the JSON file without ``.bbox.json``.

    Raises:
        ConfigError: The config has no CocoMetric.
    """
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    metrics = [evaluator for evaluator in evaluators if str(evaluator.type).endswith('CocoMetric')]
    if not metrics:
        names = ', '.join(str(evaluator.type) for evaluator in evaluators)
        raise ConfigError(f'--json-prefix: needs a CocoMetric in test_evaluator, which has {names}')
    for metric in metrics:
        metric.update(format_only=True, outfile_prefix=prefix)
    cfg.test_evaluator = metrics


def enable_tta(cfg: Config) -> None:
    """Enable the config's test-time augmentation.

    Args:
        cfg (Config): The config, changed in place.

    Raises:
        ConfigError: The config defines no test-time augmentation.
    """
    missing = [key for key in ('tta_model', 'tta_pipeline') if key not in cfg]
    if missing:
        raise ConfigError(f'--tta: the config has no {" and no ".join(missing)}')
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    dataset = innermost_dataset(cfg.test_dataloader.dataset)
    # It fixes the image size, but the augmentation varies it.
    dataset.pop('batch_shapes_cfg', None)
    dataset.pipeline = cfg.tta_pipeline
