"""Safe reader of pickles written by MMEngine's ``DumpResults``.

Result files may come from untrusted sources, so no code in them is executed. Only plain containers, numbers, text,
arrays and tensors are read; tensors become arrays, so PyTorch is not needed.
"""
import io
from pathlib import Path
from typing import Any, Union

import numpy as np

from mmseam.utils.container_tree import check_tree
from mmseam.utils.pickle_names import PLAIN_NAMES, RestrictedPickleError, name_table
from mmseam.utils.pickled_arrays import NUMPY_NAMES, Storage, TensorRecord, TensorUnpickler, torch_names
from mmseam.utils.restricted_unpickler import RestrictedUnpickler
from mmseam.utils.torch_file import read_legacy_file

from .result_folder import ResultsFormatError


def _to_array(record: TensorRecord) -> np.ndarray:
    storage = record.storage
    if record.numel > storage.numel:
        raise RestrictedPickleError('a tensor with more numbers than the file contains')
    if not record.numel:
        return np.empty(record.size)
    if storage.dtype == 'bfloat16':  # the upper half of a float32
        flat = (np.frombuffer(storage.data, np.uint16).astype(np.uint32) << 16).view(np.float32)
    else:
        flat = np.frombuffer(storage.data, storage.dtype)
    strides = [step * flat.itemsize for step in record.stride]
    return np.lib.stride_tricks.as_strided(flat[record.offset:], record.size, strides).copy()


def _read_storage(content: Any) -> Storage:
    """Read the storage of a tensor, a small ``torch.save`` file inside the pickle."""
    storage = read_legacy_file(io.BytesIO(content), TensorUnpickler)
    if type(storage) is not Storage:
        raise RestrictedPickleError('the data of a tensor are not a tensor storage')
    return storage


class _ResultsUnpickler(RestrictedUnpickler):

    names = {**PLAIN_NAMES, **NUMPY_NAMES, **torch_names(_to_array),
             **name_table({'torch.storage._load_from_bytes': (_read_storage, )})}


def load_results_pickle(path: Union[str, Path]) -> Any:
    """Load a pickle of containers, numbers, strings, arrays and tensors.

    Args:
        path (str or Path): ``.pkl`` file written by ``mmengine.evaluator.DumpResults`` (``tools/test.py --out``).

    Returns:
        Any: The content, with tensors converted to arrays.

    Raises:
        ResultsFormatError: The file is not a pickle, refers to anything but the constructors of arrays and tensors, or
            contains itself; the message names the file.
    """
    with open(path, 'rb') as file:
        try:
            content = _ResultsUnpickler(file).load()
            check_tree(content)
        except RestrictedPickleError as error:
            raise ResultsFormatError(f'{path}: {error}. Only pickles of plain detections can be read; use a '
                                     'result folder or a JSON file instead') from error
    return content
