"""Pickles that attack whoever loads them, and every public reader that unpickles."""
import functools
import io
import os
import pickle
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Callable, Dict

import torch


class Call:
    """Pickles as a call of a function, which runs when a common unpickler loads it."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call

    def __call__(self):
        """Pickle only writes calls of callables; a call that returns a function is one."""


def _touch(marker):
    return f"open({str(marker)!r}, 'w').close()"


def _attributes_only(marker):
    """Reach ``exec`` from an allowed name by attributes alone."""
    global_names = Call(getattr, torch._utils._rebuild_parameter, '__globals__')
    builtin_names = Call(Call(getattr, global_names, 'get'), '__builtins__')
    return Call(Call(Call(getattr, builtin_names, 'get'), 'exec'), _touch(marker))


def _local_hub(marker):
    repository = marker.parent / 'repository'
    repository.mkdir()
    (repository / 'hubconf.py').write_text(f'def model():\n    {_touch(marker)}\n')
    return Call(torch.hub._load_local, str(repository), 'model')


def _saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


# Name that must be refused, and an object that leaves the marker file when it is loaded with `pickle`.
ATTACKS: Dict[str, Callable] = {
    f'{os.system.__module__}.system': lambda marker: Call(os.system, f'touch {marker}'),
    'subprocess.check_call': lambda marker: Call(subprocess.check_call, ['touch', str(marker)]),
    'builtins.eval': lambda marker: Call(eval, _touch(marker)),
    'builtins.exec': lambda marker: Call(exec, _touch(marker)),
    f'{open.__module__}.open': lambda marker: Call(open, str(marker), 'w'),
    'builtins.getattr': _attributes_only,
    'functools.partial': lambda marker: Call(functools.partial(exec, _touch(marker))),
    'torch.hub._load_local': _local_hub,
    'torch.storage._load_from_bytes':
    lambda marker: Call(torch.storage._load_from_bytes, _saved(Call(exec, _touch(marker)))),
    'pickle.loads': lambda marker: Call(pickle.loads, pickle.dumps(Call(exec, _touch(marker)))),
}


def name(module: str, attribute: str) -> bytes:
    """Instruction that pushes what a name stands for."""
    return f'c{module}\n{attribute}\n'.encode()


def text(value: str) -> bytes:
    """Instruction that pushes a text."""
    data = value.encode()
    return b'X' + struct.pack('<I', len(data)) + data


def number(value: int) -> bytes:
    """Instruction that pushes a number."""
    return pickle.dumps(value, 2)[2:-1]


_NDARRAY = name('numpy.core.multiarray', '_reconstruct') + name('numpy', 'ndarray') + b'K\0\x85C\x01b\x87R'
_DTYPE = name('numpy', 'dtype') + text('f8') + b'\x89\x88\x87R'
_TENSOR = name('torch._utils', '_rebuild_tensor_v2')
_LAUGHS = b']' + b''.join(b'q\0]h\0ah\0a' for _ in range(70))
_HASH = b')q\0' + b'h\0h\0\x86q\0' * 70

# Refused by every reader, whatever names it knows.
MISUSES: Dict[str, bytes] = {
    'import by INST': b'(ios\nsystem\n.',
    'import by OBJ': b'(' + name('os', 'system') + text('true') + b'o.',
    'dotted name': b'\x80\x04' + text('collections') + text('OrderedDict.fromkeys') + b'\x93.',
    'import of a module': name('__builtin__', '__import__') + text('os') + b'\x85R.',
    'codec of the pickle': name('_codecs', 'encode') + text('a') + text('rot13') + b'\x86R.',
    'attribute of a container': name('builtins', 'getattr') + name('collections', 'OrderedDict') + text('fromkeys')
    + b'\x86R.',
    'rewritten function': _TENSOR + b'}' + text('__defaults__') + b')sb.',
    'rewritten class': name('collections', 'OrderedDict') + b'}' + text('fromkeys') + b')sb.',
    'rewritten array type': name('numpy', 'ndarray') + b'}' + text('a') + b'K\x01sb.',
    'items of a tuple': b')K\0K\x01s.',
    'items of a function': _TENSOR + b'K\0K\x01s.',
    'append to a tuple': b')K\x01a.',
    'append to an array': _NDARRAY + b'K\x01a.',
    'call of a number': b'K\x01)R.',
    'call of what a call gives': name('collections', 'OrderedDict') + b')R)R.',
    'array called': name('numpy', 'ndarray') + b'K\x01\x85' + text('O') + b'\x86R.',
    'object dtype': name('numpy', 'dtype') + text('O8') + b'\x85R.',
    'void dtype': name('numpy', 'dtype') + text('V8') + b'\x85R.',
    'dtype as a number': name('numpy', 'dtype') + b'K\x01\x85R.',
    'structured dtype': _DTYPE + b'(K\x03' + text('<') + text('a') + b'NNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb.',
    'array larger than its data': _NDARRAY + b'(K\x01' + number(1 << 30) + b'\x85' + _DTYPE + b'\x89C\0tb.',
    'array of forged dtype': _NDARRAY + b'(K\x01K\x01\x85' + text('O') + b'\x89C\x08' + bytes(8) + b'tb.',
    'array of a negative size': _NDARRAY + b'(K\x01J\xff\xff\xff\xff\x85' + _DTYPE + b'\x89C\0tb.',
    'scalar without data': name('numpy.core.multiarray', 'scalar') + _DTYPE + b'C\0\x86R.',
    'tensor without storage': _TENSOR + b'(NK\0))tR.',
    'parameter of nothing': name('torch._utils', '_rebuild_parameter') + b'N\x85R.',
    'shape that is no shape': name('torch', 'Size') + text('a') + b'\x85R.',
    'foreign reference': text('a') + b'Q.',
    'extension registry': b'\x82\x01.',
    'hash that takes 2^70 steps': b'}' + _HASH + b'K\x01s.',
    'truncated': b'\x80\x02]',
    'no pickle': b'hello',
    'empty': b'',
    'unknown instruction': b'\xff.',
    'stack that is empty': b'a.',
    'memo that is empty': b'h\x07.',
}

# Small files that exhaust memory or time where the unpickler does not guard itself.
BOMBS: Dict[str, bytes] = {
    'huge memo index': b'\x80\x02]r' + struct.pack('<I', 0x1fffffff) + b'.',  # Python reserves 4 GB
    'doubling lists': _LAUGHS + b'.',
    'doubling lists as boxes': b'](}' + text('img_path') + text('a/b.jpg') + b's' + text('x') + _LAUGHS + b'se.',
    'list that contains itself': b']q\0h\0a.',
    'text longer than the file': b'X\xff\xff\xff\x7fabc.',
    'bytes longer than the file': b'\x8e' + struct.pack('<Q', 1 << 62) + b'abc.',
    'frame longer than the file': b'\x80\x04\x95' + struct.pack('<Q', 1 << 62) + b'].',
}
MILLIONS_OF_CONTAINERS = b']\x94' * 4_000_000 + b'.'


def write_results(path: Path, data: bytes) -> Path:
    """Make a pickle like those of ``tools/test.py --out``."""
    path = path.with_suffix('.pkl')
    path.write_bytes(data)
    return path


def write_zip(path: Path, data: bytes) -> Path:
    """Make a PyTorch checkpoint with this pickle."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', data)
    return path


def write_legacy(path: Path, data: bytes) -> Path:
    """Make a checkpoint in the format before PyTorch 1.6 with this pickle."""
    header = b''.join(pickle.dumps(part, 2) for part in (0x1950a86a20f9469cfc6c, 1001, dict(little_endian=True)))
    path.write_bytes(header + data + pickle.dumps([], 2))
    return path


def _read_results(path):
    from mmseam.evaluation.functional import read_detections
    return read_detections(path)


def _read_ultralytics(path):
    from mmseam.convert.ultralytics_reader import read_ultralytics_checkpoint
    return read_ultralytics_checkpoint(path)


def _read_mmengine(path):
    from mmengine.runner import CheckpointLoader
    return CheckpointLoader.load_checkpoint(str(path), 'cpu', logger='silent')


# How a pickle becomes a file, and who reads it
READERS = {
    'results': (write_results, _read_results),
    'ultralytics': (write_zip, _read_ultralytics),
    'ultralytics legacy': (write_legacy, _read_ultralytics),
    'mmengine': (write_zip, _read_mmengine),
    'mmengine legacy': (write_legacy, _read_mmengine),
}
