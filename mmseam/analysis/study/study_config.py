"""Resolved configs of the runs of a study, and the fingerprint that tells whether a run is still valid."""
import hashlib
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, Sequence

import torch
from mmengine.config import Config

from mmseam.analysis.complexity import build_on_meta
from mmseam.compat.safe_checkpoints import load_checkpoint_file
from mmseam.convert.conversion import convert
from mmseam.utils.atomic_write import atomic_files
from mmseam.utils.config import ConfigError, load_config, to_plain

from .study_data import pool_training_sets
from .study_description import Start, Study
from .study_file import StudyFileError

# What a training depends on. Logging, visualization and evaluation during training are left out.
_SECTIONS = ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler', 'custom_hooks', 'randomness',
             'custom_imports', 'train_pipeline_stage2')
# Hooks of `default_hooks` that affect the training
_TRAINING_HOOKS = ('param_scheduler', )


def model_config(study: Study, variant: str, image_size: int = 0) -> Config:
    """Build the config of a variant with the study's classes and image size, but without its data.

    Args:
        study (Study): The study.
        variant (str): Name of the variant.
        image_size (int): Side of the network's input in pixels. Defaults to 0: that of the study.

    Returns:
        Config: The config.

    Raises:
        StudyFileError: The config or an override is invalid.
    """
    chosen = study.variants[variant]
    name, side = chosen.config or study.config, image_size or study.image_size
    beside = study.file.parent / name
    try:
        cfg = load_config(beside if beside.is_file() else name, [f'img_scale=({side},{side})'])
        number = len(study.classes)
        cfg.model.bbox_head.head_module.num_classes = cfg.model.train_cfg.assigner.num_classes = number
        cfg.merge_from_dict({**study.cfg_options, **chosen.cfg_options})
    except ConfigError as error:
        raise StudyFileError(f'{study.file}: variants.{variant}: {error}') from error
    except (KeyError, TypeError, IndexError) as error:
        raise StudyFileError(
            f'{study.file}: variants.{variant}: cfg_options does not fit the config: {error}') from error
    cfg.test_dataloader.dataset.metainfo = dict(classes=tuple(study.classes))
    return cfg


def run_config(study: Study, variant: str, seed: int, folder: Path) -> Config:
    """Build the config of a run.

    Args:
        study (Study): The study.
        variant (str): Name of the variant.
        seed (int): Seed.
        folder (Path): Folder of all runs; the pooled training set and the starting weights are written there.

    Returns:
        Config: The config, without ``work_dir``.

    Raises:
        StudyFileError: A config, an override or the data is invalid.
    """
    cfg = model_config(study, variant)
    ann_file = folder / 'data' / 'train.json'
    root = pool_training_sets(study.train, study.classes, ann_file)
    cfg.train_dataloader.update(batch_size=study.batch_size)
    cfg.train_dataloader.dataset.update(
        data_root='', ann_file=str(ann_file), data_prefix=dict(img=f'{root}/'),
        metainfo=dict(classes=tuple(study.classes)))
    cfg.train_cfg.update(max_epochs=study.epochs, val_interval=study.epochs + 1)
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=1, save_best=None)
    for key in ('val_dataloader', 'val_cfg', 'val_evaluator'):
        cfg.pop(key)
    cfg.randomness = dict(seed=seed)
    if study.start is not None:
        cfg.load_from = str(_start_weights(study.start, cfg, folder / 'data' / f'start_{variant}.pth'))
    return cfg


# ======================== Starting weights ========================
def _start_weights(start: Start, cfg: Config, path: Path) -> Path:
    """Write the chosen parts of the starting weights that fit the variant's model."""
    if not start.weights.is_file():
        raise StudyFileError(f'start.weights: there is no file {start.weights}')
    with atomic_files(path) as temporary:
        if start.weights.suffix == '.pt':
            convert(start.weights, temporary, cfg)
            state = load_checkpoint_file(temporary)['state_dict']
        else:
            state = load_checkpoint_file(start.weights)
            state = state.get('state_dict', state)
        wanted = build_on_meta(cfg).state_dict()
        kept = OrderedDict((name, tensor) for name, tensor in state.items()
                           if name.split('.')[0] in start.parts and name in wanted
                           and wanted[name].shape == tensor.shape)
        if not kept:
            raise StudyFileError(f'start.weights: {start.weights} has no tensor that fits {", ".join(start.parts)}')
        torch.save(dict(meta=dict(), state_dict=kept), temporary)
    return path


# ======================== Fingerprint ========================
def fingerprint(cfg: Config, modules: Sequence[Path] = ()) -> str:
    """Return a digest of everything that a training depends on.

    It covers the contents of the annotation file, the modules and the starting weights, not their paths.

    Args:
        cfg (Config): Config of a run.
        modules (Sequence[Path]): Python files of the study. Defaults to none.

    Returns:
        str: 16 hexadecimal digits.
    """
    content: Dict[str, Any] = {key: to_plain(cfg.get(key)) for key in _SECTIONS}
    content['default_hooks'] = {key: to_plain(cfg.default_hooks.get(key)) for key in _TRAINING_HOOKS}
    dataset = content['train_dataloader']['dataset']
    dataset['ann_file'] = file_digest(Path(dataset['ann_file']))
    dataset['data_prefix'] = None
    content['modules'] = [file_digest(file) for file in modules]
    content['start'] = _tensor_digest(Path(cfg.load_from)) if cfg.get('load_from') else None
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tensor_digest(path: Path) -> str:
    """Hash the tensors of a checkpoint, because the bytes of the file differ between PyTorch versions."""
    total = hashlib.sha256()
    for name, tensor in load_checkpoint_file(path)['state_dict'].items():
        total.update(name.encode())
        total.update(tensor.contiguous().numpy().tobytes())
    return total.hexdigest()
