"""No code of a pickle runs, whatever it asks for."""
import functools
import io
import os
import pickle
import re
import subprocess
import zipfile

import pytest
import torch

from mmseam.convert.errors import CheckpointError, UnsafeCheckpointError
from mmseam.convert.restricted_unpickler import RestrictedUnpickler, Stub
from mmseam.convert.ultralytics_reader import read_ultralytics_checkpoint


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


# Name that must be refused, and an object that leaves the marker file when it is loaded with `pickle`.
ATTACKS = {
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


def _saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def write_zip(path, data):
    """Write a pickle where a torch checkpoint has it."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', data)
    return path


def load(data):
    return RestrictedUnpickler(io.BytesIO(data)).load()


@pytest.mark.parametrize('protocol', [0, 2, 4])
@pytest.mark.parametrize('name', ATTACKS)
def test_attack_is_refused_by_name(tmp_path, name, protocol):
    marker = tmp_path / 'marker'
    attack = pickle.dumps(dict(model=ATTACKS[name](marker)), protocol, fix_imports=False)
    path = write_zip(tmp_path / 'evil.pt', attack)
    with pytest.raises(UnsafeCheckpointError, match=rf'evil\.pt: .*{re.escape(name)}\b'):
        read_ultralytics_checkpoint(path)
    assert not marker.exists()
    pickle.loads(attack)
    assert marker.exists(), 'the attack is harmless, so this test showed nothing'


@pytest.mark.parametrize(('data', 'name'), [
    (b'(ios\nsystem\n.', 'os.system'),  # INST
    (b'c__builtin__\neval\n.', '__builtin__.eval'),
    (b'cbuiltins\n__import__\n.', 'builtins.__import__'),
    (b'ccollections\nabc.sys.modules\n.', 'collections.abc.sys.modules'),
    (b'\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93.', 'collections.OrderedDict.fromkeys'),
    (b'\x80\x04\x8c\x05torch\x8c\x07nn.Conv\x93.', 'torch.nn.Conv'),
    (b'ctorch.hub\nload\n.', 'torch.hub.load'),
    (b'c__main__\nModel\n.', '__main__.Model'),
    (b'ccopyreg\n_reconstructor\n.', 'copyreg._reconstructor'),
    (b'ctorch._utils\n_rebuild_from_type_v2\n.', 'torch._utils._rebuild_from_type_v2'),
    (b'cultralytics_evil.nn\nModel\n.', 'ultralytics_evil.nn.Model'),
    (b'ctorch.nn\nmodules.container.Sequential\n.', 'torch.nn.modules.container.Sequential'),
])
def test_names_outside_the_table(data, name):
    with pytest.raises(UnsafeCheckpointError) as error:
        load(data)
    assert f'foreign code, {name},' in str(error.value)


def _global(module, name):
    return f'c{module}\n{name}\n'.encode()


@pytest.mark.parametrize('data', [
    # getattr(OrderedDict, 'fromkeys'), getattr(tuple, '__class__'), getattr(stub object, '__class__')
    _global('builtins', 'getattr') + _global('collections', 'OrderedDict') + b"X\x08\0\0\0fromkeys\x86R.",
    _global('builtins', 'getattr') + _global('builtins', 'tuple') + b"X\x09\0\0\0__class__\x86R.",
    _global('builtins', 'getattr') + _global('ultralytics.nn', 'A') + b")RX\x09\0\0\0__class__\x86R.",
    # a codec of the pickle's choice
    _global('_codecs', 'encode') + b'X\x01\0\0\0aX\x05\0\0\0rot13\x86R.',
    # rewriting a function that the reader hands out
    _global('torch._utils', '_rebuild_parameter') + b'}X\x0c\0\0\0__defaults__)sb.',
])
def test_allowed_names_cannot_be_misused(data):
    with pytest.raises(UnsafeCheckpointError):
        load(b'\x80\x02' + data)


@pytest.mark.parametrize('data', [
    # a tensor that is no tensor, an object-typed NumPy scalar, a reference to something other than a storage
    _global('torch._utils', '_rebuild_parameter') + b'K\x01\x85R.',
    _global('torch._utils', '_rebuild_tensor_v2') + b'(NK\0))tR.',
    _global('numpy', 'dtype') + b'X\x02\0\0\0O8\x85R.',
    b'X\x01\0\0\0aQ.',
])
def test_values_of_the_wrong_kind(data):
    with pytest.raises(CheckpointError):
        load(b'\x80\x02' + data)


@pytest.mark.parametrize('module', ['ultralytics.nn.modules.head', 'torch.nn.modules.container', 'ultralytics'])
def test_foreign_modules_become_inert_stubs(module):
    stub = load(b'\x80\x02' + _global(module, 'Detect_MultiSEAM') + b')\x81}X\x01\0\0\0aK\x05sb.')
    assert isinstance(stub, Stub)
    assert (stub.class_name, stub.source) == ('Detect_MultiSEAM', f'{module}.Detect_MultiSEAM')
    assert stub.state == {'a': 5}
    assert not hasattr(stub, 'a')


@pytest.mark.parametrize('data', [
    _global('builtins', 'getattr') + _global('ultralytics.nn', 'A') + b'X\x03\0\0\0mro\x86R.',
    b'\x8c\x0eultralytics.nn\x8c\x05A.mro\x93.',  # the same by a dotted name
])
def test_attributes_of_a_stub_class_are_inert(data):
    attribute = load(b'\x80\x04' + data)
    assert issubclass(attribute, Stub)
    assert attribute.source == 'ultralytics.nn.A.mro'


def test_stub_classes_are_not_shared_between_files():
    data = b'\x80\x02' + _global('ultralytics.nn', 'A') + b'.'
    assert load(data) is not load(data)
