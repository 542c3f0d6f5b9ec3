"""Reading of Ultralytics checkpoints without Ultralytics, and without running code of the file."""
import io
import pickle
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple, Union

import torch

from .errors import CheckpointError
from .restricted_unpickler import RestrictedUnpickler, Stub, TensorRecord

_TASKS = {
    'DetectionModel': 'detect', 'SegmentationModel': 'segment', 'PoseModel': 'pose', 'OBBModel': 'obb',
    'ClassificationModel': 'classify',
}

# What a pickle of odd bytes, or a tree of odd objects, ends in.
_DAMAGE = (pickle.UnpicklingError, ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, RuntimeError,
           TypeError, ValueError)


@dataclass(frozen=True)
class UltralyticsCheckpoint:
    """What a checkpoint holds that matters here.

    Attributes:
        path (Path): The file.
        state_dict (dict): Parameters and persistent buffers, ``model.N.…``; floating point ones as float32.
        layers (tuple[str]): Class names of the layers ``model.0``, ``model.1``, …; the last one is the head.
        names (tuple[str]): Class names, by index.
        strides (tuple[float]): Strides of the head's levels in pixels; empty when the file has none.
        task (str): 'detect', 'segment', 'pose', 'obb', 'classify', or the model class where it is another one.
        train_args (dict): Training arguments, plain values only.
        train_metrics (dict): Metrics that the training stored, plain values only.
        epoch (int): Last epoch of an unfinished training; -1 when the file is a finished one, as Ultralytics has it.
        date (str): When it was written; '' when unknown.
        version (str): Version of Ultralytics that wrote it; '' when unknown.
        license (str): The license that the file states; '' when it states none.
    """

    path: Path
    state_dict: Dict[str, torch.Tensor] = field(repr=False)
    layers: Tuple[str, ...]
    names: Tuple[str, ...]
    strides: Tuple[float, ...]
    task: str
    train_args: Dict[str, Any] = field(repr=False)
    train_metrics: Dict[str, Any] = field(repr=False)
    epoch: int
    date: str
    version: str
    license: str

    @property
    def num_classes(self) -> int:
        """int: Number of classes."""
        return len(self.names)


def read_ultralytics_checkpoint(path: Union[str, Path]) -> UltralyticsCheckpoint:
    """Read a ``.pt`` file that Ultralytics wrote; nothing that the file names is imported or called.

    The averaged weights (``ema``) are taken where the file has them, else ``model``, as Ultralytics does.

    Args:
        path (str or Path): A zip-format checkpoint (``torch.save`` of torch >= 1.6).

    Returns:
        UltralyticsCheckpoint: Weights and description.

    Raises:
        FileNotFoundError: There is no such file.
        UnsafeCheckpointError: The pickle asks for code outside the allow-list; the name is in the message.
        CheckpointError: The file is of another format, damaged, or holds no Ultralytics model.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such checkpoint file')
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, _Archive(archive))
    except CheckpointError as error:
        raise type(error)(f'{path}: {error}') from error
    except _DAMAGE as error:
        raise CheckpointError(f"{path}: damaged, or not laid out as Ultralytics' files are ({error!r})") from error
    except zipfile.BadZipFile as error:
        raise CheckpointError(
            f'{path}: not a zip-format PyTorch checkpoint ({error}). If it is a download, it may be incomplete; if it '
            'was written by torch < 1.6, load and save it again where you trust it') from error


class _Archive:
    """The members of a torch checkpoint's zip."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        pickles = [name for name in archive.namelist() if name.count('/') == 1 and name.endswith('/data.pkl')]
        if len(pickles) != 1:
            raise CheckpointError('a zip file, but not one that torch.save wrote (no data.pkl)')
        self._zip, self._root = archive, pickles[0][:-len('data.pkl')]
        if f'{self._root}byteorder' in archive.namelist() and self._bytes('byteorder') != b'little':
            raise CheckpointError('written on a big-endian machine, which is not supported')

    def _bytes(self, member: str) -> bytes:
        try:
            info = self._zip.getinfo(self._root + member)
        except KeyError as error:
            raise CheckpointError(f'damaged: {member} is missing in the archive') from error
        if info.compress_type != zipfile.ZIP_STORED:  # torch never compresses; a bomb would
            raise CheckpointError(f'{member} is compressed, which torch.save never does')
        return self._zip.read(info)

    def unpickle(self) -> Any:
        return RestrictedUnpickler(io.BytesIO(self._bytes('data.pkl'))).load()

    def tensor(self, record: TensorRecord) -> torch.Tensor:
        """Read one tensor as a contiguous copy; floating point becomes float32."""
        storage, count = record.storage, 1
        for side in record.size:
            count *= side
        data = bytearray(self._bytes(f'data/{storage.key}'))
        itemsize = torch.empty((), dtype=storage.dtype).element_size()
        if len(data) != storage.numel * itemsize or count > storage.numel:
            raise CheckpointError(f'damaged: data/{storage.key} has {len(data)} bytes, not what its tensors need')
        if not count:
            return torch.empty(record.size)
        flat = torch.frombuffer(data, dtype=storage.dtype)
        try:
            view = flat.as_strided(record.size, record.stride, record.offset)
        except RuntimeError as error:
            raise CheckpointError(f'damaged: a tensor reaches outside data/{storage.key}') from error
        dtype = torch.float32 if storage.dtype.is_floating_point else storage.dtype
        return view.to(dtype, copy=True, memory_format=torch.contiguous_format)


def _read(path: Path, archive: _Archive) -> UltralyticsCheckpoint:
    content = archive.unpickle()
    model = _model(content)
    layers = model.state.get('_modules', {}).get('model')
    if not isinstance(layers, Stub):
        raise CheckpointError(f'its model, a {model.source}, has no list of layers: not an Ultralytics YOLO')
    return UltralyticsCheckpoint(
        path=path,
        state_dict={name: archive.tensor(record) for name, record in _tensors(model)},
        layers=tuple(layer.class_name for layer in _children(layers).values()),
        names=_class_names(model),
        strides=_strides(model, archive),
        task=_TASKS.get(model.class_name, model.class_name),
        train_args=_plain_values(content.get('train_args')),
        train_metrics=_plain_values(content.get('train_metrics')),
        epoch=_epoch(content.get('epoch')),
        date=str(content.get('date') or ''),
        version=str(content.get('version') or ''),
        license=str(content.get('license') or ''))


def _model(content: Any) -> Stub:
    if not isinstance(content, dict):
        raise CheckpointError(f'holds a {type(content).__name__}, not a checkpoint of Ultralytics')
    model = content.get('model') if content.get('ema') is None else content['ema']
    if isinstance(model, Stub):
        return model
    if content and all(isinstance(value, TensorRecord) for value in content.values()):
        raise CheckpointError(
            'a bare state dict: layer types, class names and strides are missing. Give the .pt file that Ultralytics '
            'wrote (best.pt or last.pt)')
    raise CheckpointError("not a checkpoint of Ultralytics: it has no module under 'model' or 'ema'")


def _children(module: Stub) -> Dict[str, Stub]:
    children = module.state.get('_modules') or {}
    return {str(name): child for name, child in dict(children).items() if isinstance(child, Stub)}


def _tensors(module: Stub, prefix: str = '') -> Iterator[Tuple[str, TensorRecord]]:
    """Walk a tree of stubs in the order of ``torch.nn.Module.state_dict``."""
    transient = module.state.get('_non_persistent_buffers_set') or ()
    own = {**(module.state.get('_parameters') or {}), **(module.state.get('_buffers') or {})}
    for name, record in own.items():
        if isinstance(record, TensorRecord) and name not in transient:
            yield f'{prefix}{name}', record
    for name, child in _children(module).items():
        yield from _tensors(child, f'{prefix}{name}.')


def _class_names(model: Stub) -> Tuple[str, ...]:
    names = model.state.get('names')
    if isinstance(names, dict):
        names = [names[index] for index in sorted(names, key=int)]
    if not isinstance(names, (list, tuple)) or not names:
        raise CheckpointError('its model has no class names')
    return tuple(str(name) for name in names)


def _strides(model: Stub, archive: _Archive) -> Tuple[float, ...]:
    record = model.state.get('stride')
    return tuple(archive.tensor(record).flatten().tolist()) if isinstance(record, TensorRecord) else ()


def _epoch(value: Any) -> int:
    return value if isinstance(value, int) else -1


def _plain_values(values: Any) -> Dict[str, Any]:
    """Keep the entries of a dictionary (or of a stubbed namespace) that are text, numbers, truth values or None."""
    if isinstance(values, Stub):
        values = values.state
    if not isinstance(values, dict):
        return {}
    return {str(key): value for key, value in values.items() if value is None or isinstance(value, (str, int, float))}
