"""Read Ultralytics checkpoints without Ultralytics and without running code from the file."""
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple, Union

import numpy as np
import torch

from mmseam.utils.pickle_names import RestrictedPickleError, UnsafePickleError
from mmseam.utils.pickled_arrays import TensorRecord
from mmseam.utils.torch_file import read_torch_file

from .errors import CheckpointError, UnsafeCheckpointError
from .ultralytics_pickle import Stub, UltralyticsUnpickler

_TASKS = {
    'DetectionModel': 'detect', 'SegmentationModel': 'segment', 'PoseModel': 'pose', 'OBBModel': 'obb',
    'ClassificationModel': 'classify',
}

_MAX_MODULES = 100_000
_MAX_TEXT = 1000

# Errors that malformed object trees cause
_DAMAGE = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class UltralyticsCheckpoint:
    """Contents of an Ultralytics checkpoint.

    Attributes:
        path (Path): The file.
        state_dict (dict): Parameters and persistent buffers, ``model.N.…``; floating point ones as float32.
        layers (tuple[str]): Class names of the layers ``model.0``, ``model.1``, …; the last one is the head.
        names (tuple[str]): Class names, by index.
        task (str): 'detect', 'segment', 'pose', 'obb', 'classify', or else the name of the model class.
        train_metrics (dict): Metrics stored by the training, plain values only.
        date (str): Date of the file; '' if unknown.
        version (str): Version of Ultralytics that wrote the file; '' if unknown.
        license (str): License stated in the file; '' if none.
    """

    path: Path
    state_dict: Dict[str, torch.Tensor] = field(repr=False)
    layers: Tuple[str, ...]
    names: Tuple[str, ...]
    task: str
    train_metrics: Dict[str, Any] = field(repr=False)
    date: str
    version: str
    license: str

    @property
    def num_classes(self) -> int:
        """int: Number of classes."""
        return len(self.names)


def read_ultralytics_checkpoint(path: Union[str, Path]) -> UltralyticsCheckpoint:
    """Read a ``.pt`` file written by Ultralytics without importing or calling anything that the file names.

    Like Ultralytics, read the averaged weights (``ema``) if the file has them, else ``model``.

    Args:
        path (str or Path): A zip-format checkpoint (``torch.save`` of torch >= 1.6).

    Returns:
        UltralyticsCheckpoint: Weights and description.

    Raises:
        FileNotFoundError: The file does not exist.
        UnsafeCheckpointError: The pickle refers to code outside the allow-list; the message names it.
        CheckpointError: The file has another format, is damaged, or contains no Ultralytics model.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such checkpoint file')
    try:
        with path.open('rb') as file:
            return _read(path, read_torch_file(file, UltralyticsUnpickler))
    except UnsafePickleError as error:
        raise UnsafeCheckpointError(f'{path}: {error}') from error
    except (CheckpointError, RestrictedPickleError) as error:
        raise CheckpointError(f'{path}: {error}') from error
    except _DAMAGE as error:
        raise CheckpointError(f"{path}: damaged, or not in Ultralytics' format "
                              f'({type(error).__name__}: {str(error)[:200]})') from error


def _read(path: Path, content: Any) -> UltralyticsCheckpoint:
    model = _model(content)
    layers = model.state.get('_modules', {}).get('model')
    if not isinstance(layers, Stub):
        raise CheckpointError(f'its model, a {model.source}, has no list of layers: not an Ultralytics YOLO')
    return UltralyticsCheckpoint(
        path=path,
        state_dict=_state_dict(model, 4 * path.stat().st_size),
        layers=tuple(layer.class_name for layer in _children(layers).values()),
        names=_class_names(model),
        task=_TASKS.get(model.class_name, model.class_name),
        train_metrics=_plain_values(content.get('train_metrics')),
        date=_text(content.get('date')),
        version=_text(content.get('version')),
        license=_text(content.get('license')))


def _model(content: Any) -> Stub:
    if not isinstance(content, dict):
        raise CheckpointError(f'contains a {type(content).__name__}, not an Ultralytics checkpoint')
    model = content.get('model') if content.get('ema') is None else content['ema']
    if isinstance(model, Stub):
        return model
    if content and all(isinstance(value, TensorRecord) for value in content.values()):
        raise CheckpointError(
            'a bare state dict: layer types, class names and strides are missing. Give the .pt file that Ultralytics '
            'wrote (best.pt or last.pt)')
    raise CheckpointError("not an Ultralytics checkpoint: it has no module under 'model' or 'ema'")


def _children(module: Stub) -> Dict[str, Stub]:
    children = module.state.get('_modules') or {}
    return {_text(name): child for name, child in children.items() if isinstance(child, Stub)}


def _state_dict(model: Stub, max_bytes: int) -> Dict[str, torch.Tensor]:
    """Copy all tensors, up to a total size; tensors that share a storage are copied separately."""
    state_dict = {}
    for name, record in _tensors(model, count(1)):
        state_dict[name] = _tensor(record)
        max_bytes -= state_dict[name].nbytes
        if max_bytes < 0:
            raise CheckpointError('its tensors add up to several times the size of the file')
    return state_dict


def _tensor(record: TensorRecord) -> torch.Tensor:
    """Copy one tensor; convert floating point to float32."""
    storage = record.storage
    if record.numel > storage.numel:
        raise CheckpointError(f'damaged: data/{storage.key} has {storage.num_bytes} bytes, not those of its tensors')
    if not record.numel:
        return torch.empty(record.size)
    flat = torch.frombuffer(storage.data, dtype=getattr(torch, storage.dtype))
    view = flat.as_strided(record.size, record.stride, record.offset)
    dtype = torch.float32 if view.dtype.is_floating_point else view.dtype
    return view.to(dtype, copy=True, memory_format=torch.contiguous_format)


def _tensors(module: Stub, counter: Iterator[int], prefix: str = '') -> Iterator[Tuple[str, TensorRecord]]:
    """Walk a tree of stubs in the order of ``torch.nn.Module.state_dict``."""
    if next(counter) > _MAX_MODULES:
        raise CheckpointError(f'more than {_MAX_MODULES} layers')
    transient = module.state.get('_non_persistent_buffers_set') or ()
    own = {**(module.state.get('_parameters') or {}), **(module.state.get('_buffers') or {})}
    for name, record in own.items():
        if isinstance(record, TensorRecord) and name not in transient:
            yield f'{prefix}{name}', record
    for name, child in _children(module).items():
        yield from _tensors(child, counter, f'{prefix}{name}.')


def _class_names(model: Stub) -> Tuple[str, ...]:
    names = model.state.get('names')
    if isinstance(names, dict):
        names = [names[index] for index in sorted(names, key=int)]
    if not isinstance(names, (list, tuple)) or not names:
        raise CheckpointError('its model has no class names')
    return tuple(map(_text, names))


def _text(value: Any) -> str:
    return str(value)[:_MAX_TEXT] if isinstance(value, (str, int, float)) else ''


def _plain_values(values: Any) -> Dict[str, Any]:
    """Keep the entries of a dictionary (or of a stubbed namespace) that are strings, numbers, bools or None."""
    if isinstance(values, Stub):
        values = values.state
    if not isinstance(values, dict):
        return {}
    plain = {_text(key): value.item() if isinstance(value, np.generic) else value for key, value in values.items()}
    return {key: value for key, value in plain.items() if value is None or isinstance(value, (str, int, float))}
