"""Reads pickles of MMEngine's ``DumpResults`` without running what they name.

A pickle can call anything, and results come from strangers. So only the few constructors that dumped tensors and arrays
need are allowed; any other name is an error. Tensor storages inside go through ``torch.load(weights_only=True)``: this
is the one place of the evaluation that needs PyTorch, and only for files that cannot exist without it.
"""
import io
import pickle
from pathlib import Path
from typing import Any, Union

_ALLOWED = {
    ('collections', 'OrderedDict'),
    ('torch', 'Size'),
    ('torch._utils', '_rebuild_tensor_v2'),
    *((f'numpy.{core}.multiarray', name) for core in ('core', '_core') for name in ('_reconstruct', 'scalar')),
    *((f'numpy.{core}.numeric', '_frombuffer') for core in ('core', '_core')),
    ('numpy', 'ndarray'),
    ('numpy', 'dtype'),
}


class _ResultsUnpickler(pickle.Unpickler):

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _REPLACED:
            return _REPLACED[module, name]
        if (module, name) in _ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f'it names {module}.{name}, which results of detections do not need')


def _load_storage(content: bytes) -> Any:
    import torch
    return torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)


def _encode_latin1(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'it encodes bytes as {encoding!r}')
    return text.encode('latin1')


# How tensors and, in old protocols, bytes are written; the originals can do more than that.
_REPLACED = {('torch.storage', '_load_from_bytes'): _load_storage, ('_codecs', 'encode'): _encode_latin1}


def load_results_pickle(path: Union[str, Path]) -> Any:
    """Load a pickle made of containers, numbers, strings, arrays and tensors.

    Args:
        path (str or Path): ``.pkl`` file written by ``mmengine.evaluator.DumpResults`` (``tools/test.py --out``).

    Returns:
        Any: The content.

    Raises:
        ValueError: If the file is no pickle, or names anything but the constructors of arrays and tensors.
    """
    with open(path, 'rb') as file:
        try:
            return _ResultsUnpickler(file).load()
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, KeyError, TypeError,
                ValueError) as error:
            raise ValueError(f'{path}: {error}. Only detections of a trusted form are read from a pickle; give a '
                             'result folder or a json file instead') from error
