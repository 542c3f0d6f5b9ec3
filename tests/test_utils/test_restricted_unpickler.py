"""No file that holds a pickle runs code, forges memory or exhausts it, whatever the pickle asks for."""
import io
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from crafted_pickles import ATTACKS, BOMBS, MISUSES, READERS, name, text, write_results, write_zip
from wider_face_files import annotation_text, face

import mmseam  # noqa: F401  (protects MMEngine's loaders)
from mmseam.convert.errors import UnsafeCheckpointError
from mmseam.convert.ultralytics_pickle import Stub, UltralyticsUnpickler
from mmseam.convert.ultralytics_reader import read_ultralytics_checkpoint
from mmseam.utils.pickle_names import Name, UnsafePickleError

REPOSITORY = Path(__file__).resolve().parents[2]


def load(data):
    return UltralyticsUnpickler(io.BytesIO(data), None).load()


@pytest.mark.parametrize('protocol', [0, 2, 4])
@pytest.mark.parametrize('attack', ATTACKS)
@pytest.mark.parametrize('reader', READERS)
def test_attack_runs_nothing(tmp_path, reader, attack, protocol):
    marker, (write, read) = tmp_path / 'marker', READERS[reader]
    data = pickle.dumps(dict(model=ATTACKS[attack](marker)), protocol, fix_imports=False)
    path = write(tmp_path / 'evil.pt', data)
    with pytest.raises(ValueError, match=re.escape(str(path))) as error:
        read(path)
    assert not marker.exists()
    if reader == 'ultralytics':
        assert isinstance(error.value, UnsafeCheckpointError) and attack in str(error.value)
    pickle.loads(data)
    assert marker.exists(), 'the attack is harmless, so this test showed nothing'


@pytest.mark.parametrize('misuse', MISUSES)
@pytest.mark.parametrize('reader', READERS)
def test_misuse_is_refused(tmp_path, reader, misuse):
    write, read = READERS[reader]
    path = write(tmp_path / 'odd.pt', MISUSES[misuse])
    with pytest.raises(ValueError, match=re.escape(str(path))):
        read(path)


_RUN_BOMBS = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
import mmseam, mmengine.runner, torch
from crafted_pickles import BOMBS, MILLIONS_OF_CONTAINERS, READERS
import mmseam.convert.ultralytics_reader, mmseam.evaluation.functional
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 10 ** 9, ) * 2)
from pathlib import Path
answers = {}
for reader, (write, read) in READERS.items():
    more = dict(millions=MILLIONS_OF_CONTAINERS) if reader == 'results' else {}
    for bomb, data in {**BOMBS, **more}.items():
        path = write(Path(sys.argv[2], 'bomb.pt'), data)
        try:
            answers[f'{reader}: {bomb}'] = f'content {type(read(path)).__name__}'
        except ValueError as error:
            answers[f'{reader}: {bomb}'] = f'refused {error}'
print(json.dumps(answers))
"""


@pytest.mark.skipif(not Path('/proc/self/statm').exists(), reason='limits memory as Linux does')
def test_bombs_take_less_than_a_gigabyte(tmp_path):
    done = subprocess.run([sys.executable, '-c', _RUN_BOMBS, str(REPOSITORY / 'tests'), str(tmp_path)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert len(answers) == len(READERS) * len(BOMBS) + 1
    for case, answer in answers.items():
        assert answer.startswith('refused') or 'huge memo' in case or 'frame' in case, (case, answer)
        assert 'MemoryError' not in answer, (case, answer)


def test_evaluation_tool_refuses_in_one_line(tmp_path):
    """Two hundred bytes that made the tool end in a segmentation fault: an array of forged object pointers."""
    path = write_results(tmp_path / 'forged', MISUSES['array called'])
    truth = tmp_path / 'wider_face_val_bbx_gt.txt'
    truth.write_text(annotation_text({'a/b.jpg': [face(1, 2, 30, 40)]}))
    done = subprocess.run([sys.executable, 'tools/analysis_tools/eval_wider_face.py', str(path), '--gt', str(truth)],
                          cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert f'eval_wider_face: {path}: it calls numpy.ndarray' in done.stderr and 'Traceback' not in done.stderr


def test_conversion_tool_refuses_in_one_line(tmp_path):
    marker = tmp_path / 'marker'
    path = write_zip(tmp_path / 'evil.pt', pickle.dumps(ATTACKS['builtins.exec'](marker), 2, fix_imports=False))
    done = subprocess.run([sys.executable, 'tools/model_converters/ultralytics_to_mmseam.py', str(path),
                           str(tmp_path / 'out.pth')], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1 and not marker.exists(), done.stderr
    assert f'error: {path}: the file refers to code, builtins.exec' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize(('data', 'source'), [
    (b'c__builtin__\neval\n.', '__builtin__.eval'),
    (b'ccollections\nabc.sys.modules\n.', 'collections.abc.sys.modules'),
    (b'\x80\x04\x8c\x05torch\x8c\x07nn.Conv\x93.', 'torch.nn.Conv'),
    (b'c__main__\nModel\n.', '__main__.Model'),
    (b'ccopyreg\n_reconstructor\n.', 'copyreg._reconstructor'),
    (b'cultralytics_evil.nn\nModel\n.', 'ultralytics_evil.nn.Model'),
    (b'ctorch.nn\nmodules.container.Sequential\n.', 'torch.nn.modules.container.Sequential'),
])
def test_names_outside_the_table(data, source):
    with pytest.raises(UnsafePickleError) as error:
        load(data)
    assert f'refers to code, {source},' in str(error.value)


@pytest.mark.parametrize('module', ['ultralytics.nn.modules.head', 'torch.nn.modules.container', 'ultralytics'])
def test_foreign_modules_become_inert_stubs(module):
    stub = load(b'\x80\x02' + name(module, 'Detect_MultiSEAM') + b')\x81}X\x01\0\0\0aK\x05sb.')
    assert isinstance(stub, Stub)
    assert (stub.class_name, stub.source) == ('Detect_MultiSEAM', f'{module}.Detect_MultiSEAM')
    assert stub.state == {'a': 5}
    assert not hasattr(stub, 'a')


def test_attributes_of_a_stub_class_are_inert():
    for data in (name('builtins', 'getattr') + name('ultralytics.nn', 'A') + text('mro') + b'\x86R.',
                 text('ultralytics.nn') + text('A.mro') + b'\x93.'):  # the same by a dotted name
        attribute = load(b'\x80\x04' + data)
        assert type(attribute) is Name and attribute.source == 'ultralytics.nn.A.mro'


def test_attribute_of_a_stub_object_is_refused():
    with pytest.raises(UnsafePickleError):
        load(name('builtins', 'getattr') + name('ultralytics.nn', 'A') + b')R' + text('__class__') + b'\x86R.')


@pytest.mark.parametrize('value', [
    dict(a=[1, -2, 1 << 70, 2.5, None, True, 'ü', b'\xff', (1, ), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}, ()]),
    [{1, 2}, frozenset('ab'), {1: 'a', 2.5: 'b', None: 'c', 'x': 'd'}],
])
@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_back(value, protocol):
    assert load(pickle.dumps(value, protocol)) == value


def test_shared_parts_stay_shared():
    part = ['a']
    first, second = load(pickle.dumps([part, part], 4))
    assert first is second


def test_layers_that_repeat_without_end_are_refused(tmp_path):
    """Forty modules, each twice in the one before: 2^40 layers in a file of a few kilobytes."""
    modules = name('ultralytics.nn', 'A') + b')Rq\x000'
    for _ in range(40):
        modules += (name('ultralytics.nn', 'A') + b')R}' + text('_modules') + b'}(' + text('a') + b'h\0' + text('b')
                    + b'h\0usbq\x000')
    data = b'}' + text('model') + name('ultralytics', 'M') + b')R}(' + text('names') + b']' + text('a') + b'a' + text(
        '_modules') + b'}' + text('model') + modules + b'h\0subs.'
    with pytest.raises(ValueError, match='more than 100000 layers'):
        read_ultralytics_checkpoint(write_zip(tmp_path / 'a.pt', data))
