"""Files under their final names are complete, and failures name them."""
import os
import signal
import stat

import pytest
import torch
from full_disk import small_files

from mmseam.utils.atomic_write import WriteError, atomic_files, atomic_write, partial_path
from mmseam.utils.interruption import Interrupted


def write_bytes(path):
    with atomic_write(path, 'wb') as file:
        file.write(bytes(20_000))


def write_text(path):
    with atomic_write(path) as file:
        file.write('a' * 20_000)


def save_tensor(path):
    with atomic_write(path, 'wb') as file:
        torch.save(torch.rand(200, 200), file)


def write_by_path(path):
    with atomic_files(path) as temporary:
        temporary.write_bytes(bytes(20_000))


@pytest.mark.parametrize('write', [write_bytes, write_text, save_tensor, write_by_path])
def test_a_full_disk_is_reported_and_the_earlier_file_stays(tmp_path, write):
    (tmp_path / 'a.bin').write_text('good')
    with small_files(), pytest.raises(WriteError) as error:
        write(tmp_path / 'a.bin')
    assert str(error.value) == (f'file size limit reached while writing {tmp_path / "a.bin"}: raise it (ulimit -f) and '
                                'run again')
    assert os.listdir(tmp_path) == ['a.bin'] and (tmp_path / 'a.bin').read_text() == 'good'


def test_a_device_without_space_is_reported():
    message = 'disk full while writing /dev/full: free space and run again'
    with pytest.raises(WriteError, match=message), atomic_write('/dev/full') as file:
        file.write('a')


def test_devices_are_written_and_not_replaced(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    reader = os.open(tmp_path / 'pipe', os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(tmp_path / 'pipe') as file:
        file.write('through')
    assert os.read(reader, 99) == b'through'
    os.close(reader)
    assert stat.S_ISFIFO(os.stat(tmp_path / 'pipe').st_mode)


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'folder' / 'a.txt')
    with atomic_write(tmp_path / 'link') as file:
        file.write('new')
    assert (tmp_path / 'link').is_symlink() and (tmp_path / 'folder' / 'a.txt').read_text() == 'new'


def test_a_folder_is_refused_before_anything_is_computed(tmp_path):
    with pytest.raises(WriteError, match=f'{tmp_path} cannot be written: it is a folder'), atomic_write(tmp_path):
        pytest.fail('the block ran')


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / 'a').write_text('')
    message = 'a/b.json cannot be written: (Not a directory|File exists)'
    with pytest.raises(WriteError, match=message), atomic_write(tmp_path / 'a' / 'b.json'):
        pytest.fail('the block ran')


@pytest.mark.parametrize('error', [OSError('b.jpg is truncated'), FileNotFoundError(2, 'none', 'b.jpg'), ValueError()])
def test_other_errors_of_the_block_stay_as_they_are(tmp_path, error):
    with pytest.raises(type(error)) as caught, atomic_write(tmp_path / 'a.txt') as file:
        file.write('half')
        raise error
    assert caught.value is error
    assert not os.listdir(tmp_path)


def test_files_that_belong_together_move_together(tmp_path):
    with atomic_files(tmp_path / 'new' / 'a.xml', fsync=True) as path:
        path.write_text('main')
        path.with_suffix('.bin').write_text('beside')
        assert [entry.is_dir() for entry in (tmp_path / 'new').iterdir()] == [True]
    content = {file.name: file.read_text() for file in (tmp_path / 'new').iterdir()}
    assert content == {'a.xml': 'main', 'a.bin': 'beside'}


@pytest.mark.parametrize('keep', [True, False])
def test_an_interrupt_keeps_what_was_written_where_asked(tmp_path, keep):
    (tmp_path / 'a.txt').write_text('good')
    with pytest.raises(Interrupted), atomic_write(tmp_path / 'a.txt', keep_interrupted=keep) as file:
        file.write('half')
        raise Interrupted(signal.SIGINT)
    assert (tmp_path / 'a.txt').read_text() == 'good'
    kept = {'a.partial.txt'} if keep else set()
    assert set(os.listdir(tmp_path)) == {'a.txt', *kept}
    assert not keep or partial_path(tmp_path / 'a.txt').read_text() == 'half'


def test_permissions_are_those_of_an_ordinary_file(tmp_path):
    with atomic_write(tmp_path / 'atomic'):
        pass
    with open(tmp_path / 'ordinary', 'w'):
        pass
    assert (tmp_path / 'atomic').stat().st_mode == (tmp_path / 'ordinary').stat().st_mode


def test_names_as_long_as_the_file_system_takes(tmp_path):
    with atomic_write(tmp_path / ('é' * 120 + '.json')) as file:
        file.write('{}')
    assert len(os.listdir(tmp_path)) == 1
