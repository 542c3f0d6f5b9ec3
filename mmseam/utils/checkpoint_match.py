"""Compare a checkpoint with a model; MMEngine loads the matching tensors and only logs the rest."""
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Mapping, NamedTuple, Tuple, Union

from torch import Tensor, nn

_NAMED = 5
# Opcode `c`, module, line break: an import, unlike the word in a string
_CLASS_OF_ULTRALYTICS = re.compile(rb'cultralytics\.[\w.]+\n')


class CheckpointMismatchError(ValueError):
    """A checkpoint that does not match the model of the config; the message lists the differences."""


class CheckpointMatch(NamedTuple):
    """Tensors of a model and of a checkpoint, by name and shape.

    Args:
        fitting (int): Number of the model's tensors that the checkpoint fills.
        missing (Tuple[str, ...]): Tensors of the model that the checkpoint lacks.
        unexpected (Tuple[str, ...]): Tensors of the checkpoint that the model lacks.
        reshaped (Tuple[str, ...]): Tensors of both whose shapes differ, with the shapes.
    """
    fitting: int
    missing: Tuple[str, ...]
    unexpected: Tuple[str, ...]
    reshaped: Tuple[str, ...]

    @property
    def share(self) -> float:
        """float: Share of the model's tensors that the checkpoint fills; 1 for a model without tensors."""
        total = self.fitting + len(self.missing) + len(self.reshaped)
        return self.fitting / total if total else 1.

    @property
    def is_complete(self) -> bool:
        """bool: Whether all tensors match."""
        return not (self.missing or self.unexpected or self.reshaped)

    def __str__(self) -> str:
        total = self.fitting + len(self.missing) + len(self.reshaped)
        parts = [f'{self.fitting} of {total} tensors of the model match']
        for text, names in (('missing in the checkpoint', self.missing), ('of another shape', self.reshaped),
                            ('only in the checkpoint', self.unexpected)):
            if names:
                parts.append(f'{len(names)} {text}: {", ".join(names[:_NAMED])}' + (', …' * (len(names) > _NAMED)))
        return '\n- '.join(parts)


def match_checkpoint(model: nn.Module, checkpoint: dict) -> CheckpointMatch:
    """Compare the tensors of a model and a checkpoint by name and shape.

    Args:
        model (nn.Module): The model, not wrapped for distributed training.
        checkpoint (dict): A loaded checkpoint, or a bare state dict.

    Returns:
        CheckpointMatch: The comparison, without ``num_batches_tracked``, which affects no result.
    """
    given = _shapes(_weights(checkpoint))
    wanted = _shapes(model.state_dict())
    common = [name for name in wanted if name in given]
    reshaped = [name for name in common if wanted[name] != given[name]]
    return CheckpointMatch(
        len(common) - len(reshaped), tuple(name for name in wanted if name not in given),
        tuple(name for name in given if name not in wanted),
        tuple(f'{name} {given[name]} instead of {wanted[name]}' for name in reshaped))


def _weights(checkpoint: dict) -> Mapping[str, Tensor]:
    """Return the tensors by name, without the prefix of distributed training."""
    return {name[len('module.'):] if name.startswith('module.') else name: value
            for name, value in checkpoint.get('state_dict', checkpoint).items()}


def _shapes(state_dict: Mapping[str, Tensor]) -> dict:
    return {name: tuple(value.shape) for name, value in state_dict.items()
            if isinstance(value, Tensor) and not name.endswith('num_batches_tracked')}


def load_fitting_tensors(model: nn.Module, checkpoint: dict) -> None:
    """Load the matching tensors, and replace the state dict of the checkpoint by that of the model.

    MMEngine, which loads it again for the model and its moving average, then logs no mismatches.

    Args:
        model (nn.Module): The model, not wrapped.
        checkpoint (dict): A loaded checkpoint, changed in place.
    """
    wanted = model.state_dict()
    fitting = OrderedDict((name, value) for name, value in _weights(checkpoint).items()
                          if isinstance(value, Tensor) and (name not in wanted or wanted[name].shape == value.shape))
    # Module versions, needed to convert older weights
    fitting._metadata = getattr(checkpoint.get('state_dict', checkpoint), '_metadata', None)
    model.load_state_dict(fitting, strict=False)
    checkpoint['state_dict'] = model.state_dict()


def require_share(match: CheckpointMatch, checkpoint: dict, min_share: float) -> None:
    """Check that a checkpoint fills a minimum share of the model.

    Args:
        match (CheckpointMatch): How the checkpoint fits the model.
        checkpoint (dict): The checkpoint.
        min_share (float): Minimum share of the model's tensors.

    Raises:
        CheckpointMismatchError: It fills less.
    """
    if match.share < min_share:
        raise CheckpointMismatchError(
            f'the checkpoint in load_from matches hardly any of the model, which would start from random weights:\n'
            f'- {match}\n{_origin(checkpoint)} To train anyway, use --allow-partial-checkpoint or '
            "dict(type='mmseam.CheckpointMatchHook', min_share=0) in custom_hooks.")


def require_match(model: nn.Module, checkpoint: dict) -> None:
    """Check that a checkpoint matches the model exactly.

    Args:
        model (nn.Module): The model, not wrapped.
        checkpoint (dict): A loaded checkpoint.

    Raises:
        CheckpointMismatchError: A tensor is missing, unexpected or has another shape.
    """
    match = match_checkpoint(model, checkpoint)
    if not match.is_complete:
        raise CheckpointMismatchError(f'the checkpoint does not match the config; the results would be meaningless:\n'
                                      f'- {match}\n{_origin(checkpoint)}')


def _origin(checkpoint: dict) -> str:
    """Describe the config that the checkpoint was made with, if it is recorded."""
    meta = checkpoint.get('meta', {})
    if meta.get('experiment_name'):
        # MMEngine's experiment name: config name and time
        config = '_'.join(meta['experiment_name'].split('_')[:-2])
        return f'It was trained with the config {config}: use that config.'
    if isinstance(meta.get('source'), dict):
        source = meta['source']
        return (f'It was converted from {source.get("file")} (YOLO11, size {source.get("size")}): use a config of that '
                'size, head and number of classes; a partial conversion can only be used as load_from of a training.')
    return 'It does not say which config it was made with; use the one it was trained with.'


def check_checkpoint_file(path: Union[str, Path]) -> None:
    """Check a checkpoint file before building the model.

    Args:
        path (str or Path): A file; URLs (``https://…``) are not checked.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointMismatchError: It is an Ultralytics checkpoint, which must be converted.
    """
    if '://' in str(path):
        return
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no checkpoint {path}')
    if _is_of_ultralytics(path):
        raise CheckpointMismatchError(f'{path} is an Ultralytics checkpoint; convert it with '
                                      'tools/model_converters/ultralytics_to_mmseam.py and use the .pth file')


def _is_of_ultralytics(path: Union[str, Path]) -> bool:
    """Return whether the pickle refers to an Ultralytics class; it is searched as bytes, not loaded."""
    try:
        with zipfile.ZipFile(path) as archive:
            stored = (info for info in archive.infolist() if info.compress_type == zipfile.ZIP_STORED)
            data = next((archive.read(info) for info in stored if info.filename.endswith('/data.pkl')), b'')
            return bool(_CLASS_OF_ULTRALYTICS.search(data))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError):
        return False  # the loader reports the error
