"""Convert Ultralytics YOLO11 weights to mmseam checkpoints."""
import io
from pathlib import Path
from typing import Container, Dict, Mapping, Optional, Tuple, Union

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmseam.registry import MODELS
from mmseam.utils.atomic_write import atomic_write
from mmseam.utils.config import load_config
from mmseam.version import __version__

from .conversion_report import ConversionReport, SkippedTensor
from .errors import CheckpointError
from .ultralytics_reader import UltralyticsCheckpoint, read_ultralytics_checkpoint
from .yolo11_architecture import check_yolo11, yolo11_size
from .yolo11_keys import HEAD_PREFIX, is_backbone_key, map_yolo11_keys

_UNSTATED_LICENSE = 'AGPL-3.0 if the weights come from Ultralytics; the file states none, see its source'


def convert(src: Union[str, Path], dst: Union[str, Path],
            config: Optional[Union[str, Path, Config]] = None) -> ConversionReport:
    """Convert an Ultralytics YOLO11 detect, segment or pose checkpoint of any size.

    Without a config, write all tensors of plain YOLO11 or, for a checkpoint with the published YOLO11 SEAM or
    MultiSEAM head, of that model. With a config, write only the tensors that fit its model by name and shape.

    Args:
        src (str or Path): The ``.pt`` file; no code in it is executed.
        dst (str or Path): The ``.pth`` file to write, for ``load_from``. Replaced if it exists.
        config (str, Path or Config, optional): Config of the model to load the weights, a file or the name of one of
            mmseam's configs. Defaults to None.

    Returns:
        ConversionReport: The converted, skipped and still randomly initialized tensors.

    Raises:
        FileNotFoundError: ``src`` does not exist.
        CheckpointError: ``src`` cannot be read safely, is not a YOLO11, or does not fit the config's backbone.
        ConfigError: ``config`` does not exist or is invalid.
    """
    src, dst = Path(src), Path(dst)
    if src.resolve() == dst.resolve():
        raise CheckpointError(f'{src}: source and destination are the same file')
    checkpoint = read_ultralytics_checkpoint(src)
    check_yolo11(checkpoint)
    names, skipped = _target_names(checkpoint)
    initialized = None
    if config is not None:
        model = _build_model(config)
        names, misfits = _fit(checkpoint, names, model.state_dict())
        _check_backbone(checkpoint, names, model)
        skipped.update(misfits)
        taken = set(names.values())
        initialized = {name: p.numel() for name, p in model.named_parameters() if name not in taken}
    state_dict = {target: checkpoint.state_dict[source] for source, target in names.items()}
    _save(dict(meta=_meta(checkpoint, names), state_dict=state_dict), dst)
    return ConversionReport(
        source=_describe(checkpoint),
        license=checkpoint.license or _UNSTATED_LICENSE,
        taken=tuple(state_dict),
        skipped=tuple(SkippedTensor(name, skipped[name]) for name in checkpoint.state_dict if name in skipped),
        initialized=initialized)


def _target_names(checkpoint: UltralyticsCheckpoint) -> Tuple[Dict[str, str], Dict[str, str]]:
    """Map the source's tensors to target names, and those without a counterpart to the reason."""
    names, skipped = {}, {}
    for source, target in map_yolo11_keys(checkpoint.state_dict).items():
        if target is not None:
            names[source] = target
        elif not source.startswith(HEAD_PREFIX):
            raise CheckpointError(f'{checkpoint.path}: not a YOLO11: it has {source}, which YOLO11 does not have')
        elif source.startswith(f'{HEAD_PREFIX}dfl.'):
            skipped[source] = 'fixed numbers, which the head here keeps as a buffer'
        else:
            skipped[source] = f'neither box nor class branch of the head {checkpoint.layers[-1]}'
    return names, skipped


def _build_model(config: Union[str, Path, Config]) -> torch.nn.Module:
    cfg = config if isinstance(config, Config) else load_config(config)
    if 'model' not in cfg:
        raise ValueError(f'{cfg.filename or "the config"}: no `model` to load the weights into')
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmyolo')):
        return MODELS.build(cfg.model)


def _fit(checkpoint: UltralyticsCheckpoint, names: Mapping[str, str],
         target: Mapping[str, torch.Tensor]) -> Tuple[Dict[str, str], Dict[str, str]]:
    """Keep the names of modules whose tensors all fit ``target``; a weight is useless without its bias."""
    names = {source: _name_in_model(name, target) for source, name in names.items()}
    misfits: Dict[str, str] = {}
    for source, name in names.items():
        shape = tuple(checkpoint.state_dict[source].shape)
        if name not in target:
            misfits.setdefault(_module(source), 'the model has no such layer')
        elif shape != tuple(target[name].shape):
            misfits.setdefault(_module(source), f'shape {shape}, the model has {tuple(target[name].shape)}')
    fitting = {source: name for source, name in names.items() if _module(source) not in misfits}
    return fitting, {source: misfits[_module(source)] for source in names if source not in fitting}


def _name_in_model(name: str, target: Container[str]) -> str:
    """Adapt a name to a list of necks, which moves the neck's layers."""
    if name.startswith('neck.') and name not in target:
        return name.replace('neck.', 'neck.0.', 1)
    return name


def _module(name: str) -> str:
    return name.rpartition('.')[0]


def _check_backbone(checkpoint: UltralyticsCheckpoint, taken: Mapping[str, str], model: torch.nn.Module) -> None:
    """Require that most of the backbone fits; other sizes and networks share a few shapes by chance."""
    numbers = {name: tensor.numel() for name, tensor in checkpoint.state_dict.items() if is_backbone_key(name)}
    if 2 * sum(numbers.get(name, 0) for name in taken) < sum(numbers.values()):
        raise CheckpointError(
            f'{checkpoint.path}: it ({_describe(checkpoint)}) does not fit the backbone of the config, a '
            f'{type(getattr(model, "backbone", model)).__name__}. Choose a YOLO11 config of the same size')


def _describe(checkpoint: UltralyticsCheckpoint) -> str:
    return (f'YOLO11, size {yolo11_size(checkpoint)}, kind {checkpoint.task}, head {checkpoint.layers[-1]}, '
            f'classes {checkpoint.num_classes}')


def _meta(checkpoint: UltralyticsCheckpoint, taken_sources: Container[str]) -> dict:
    """Build the metadata from plain values, so that ``torch.load(weights_only=True)`` accepts them."""
    meta = dict(
        mmseam_version=__version__,
        source=dict(
            file=checkpoint.path.name,
            size=yolo11_size(checkpoint),
            task=checkpoint.task,
            ultralytics_version=checkpoint.version,
            date=checkpoint.date,
            train_metrics=checkpoint.train_metrics),
        license=checkpoint.license or _UNSTATED_LICENSE)
    if f'{HEAD_PREFIX}cv3.0.2.weight' in taken_sources:  # without the predictor, its classes are not the model's
        meta['dataset_meta'] = dict(classes=checkpoint.names)
    return meta


def _save(content: dict, dst: Path) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_write(dst, 'wb') as file:
        file.write(buffer.getbuffer())
