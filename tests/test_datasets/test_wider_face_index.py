"""Cached index of a split: image sizes and annotations."""
import multiprocessing
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from wider_face_files import annotation_text, face, truncate, write_image, write_wider_face

from mmseam.datasets import image_files, load_wider_face_index
from mmseam.datasets.image_files import MISSING, UNREADABLE, read_image_size
from mmseam.datasets.wider_face import index as wider_face_index

IMAGES = {'e/a.jpg': [face(1, 2, 30, 40)], 'e/b.jpg': [], 'f/c.jpg': [face(5, 6, 7, 8), face(9, 9, 9, 9)]}


@pytest.fixture()
def split(tmp_path, monkeypatch):
    """Annotation file and image folder of a small split; the user's cache folder is empty."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'user_cache'))
    root = tmp_path / 'data'
    write_wider_face(root, IMAGES)
    return root / 'wider_face_split' / 'wider_face_train_bbx_gt.txt', root / 'WIDER_train' / 'images'


def load(split):
    return load_wider_face_index(*map(str, split))


def caches(split):
    return list(split[0].parent.glob('*.npz'))


def forbid(monkeypatch, module, name):
    def fail(*args, **kwargs):
        raise AssertionError(f'{name} was called')

    monkeypatch.setattr(module, name, fail)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_size_is_that_of_the_decoded_image(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = str(tmp_path / 'image.jpg')
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(path, exif=exif)
    height, width = cv2.imread(path).shape[:2]
    assert read_image_size(path) == (width, height)


@pytest.mark.parametrize('orientation', [0, 9, 77])
def test_orientation_that_does_not_exist_turns_nothing(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new('RGB', (60, 40)).save(tmp_path / 'image.jpg', exif=exif)
    assert cv2.imread(str(tmp_path / 'image.jpg')).shape[:2] == (40, 60)
    assert read_image_size(str(tmp_path / 'image.jpg')) == (60, 40)


def test_orientation_of_an_odd_type_turns_the_image_as_opencv_does(tmp_path):
    exif, path = Image.Exif(), tmp_path / 'image.jpg'
    exif[0x0112] = 6
    Image.new('RGB', (60, 40)).save(path, exif=exif)
    path.write_bytes(path.read_bytes().replace(b'\x01\x12\0\x03', b'\x01\x12\0\x04'))
    height, width = cv2.imread(str(path)).shape[:2]
    assert read_image_size(str(path)) == (width, height) == (40, 60)


@pytest.mark.parametrize('place', [b'IDAT', b'IEND'], ids=['before the pixels', 'behind them'])
def test_orientation_of_a_png_is_found_without_decoding(tmp_path, place):
    exif, path = Image.Exif(), tmp_path / 'image.png'
    exif[0x0112] = 6
    data = exif.tobytes()[len(b'Exif\0\0'):]
    chunk = struct.pack('>I', len(data)) + b'eXIf' + data + struct.pack('>I', zlib.crc32(b'eXIf' + data))
    content = cv2.imencode('.png', np.zeros((40, 60, 3), np.uint8))[1].tobytes()
    start = content.index(place) - 4
    path.write_bytes(content[:start] + chunk + content[start:])
    assert read_image_size(str(path)) == (40, 60)
    # The pixels are damaged, which only decoding would notice
    path.write_bytes(path.read_bytes().replace(b'\x78', b'\0'))
    assert read_image_size(str(path)) == (40, 60)


def test_size_of_files_that_are_no_images(tmp_path):
    for content in (b'', b'text', b'\xff\xd8\xff\xe0\x00'):
        (tmp_path / 'image.jpg').write_bytes(content)
        assert read_image_size(str(tmp_path / 'image.jpg')) == (UNREADABLE, UNREADABLE)


def test_second_start_reads_neither_images_nor_text(split, monkeypatch):
    first = load(split)
    assert first.sizes.tolist() == [[120, 80]] * 3
    forbid(monkeypatch, image_files, 'read_image_size')
    forbid(monkeypatch, wider_face_index, 'read_wider_face_annotations')
    second = load(split)
    assert second.annotations.file_names == list(IMAGES)
    for name in ('offsets', 'boxes', 'attributes'):
        np.testing.assert_array_equal(getattr(second.annotations, name), getattr(first.annotations, name))
    np.testing.assert_array_equal(second.sizes, first.sizes)


def test_changed_annotation_file_is_read_again(split):
    load(split)
    write_image(split[1] / 'f' / 'new.jpg', size=(50, 60))
    split[0].write_text(annotation_text({**IMAGES, 'f/new.jpg': []}))
    assert load(split).sizes.tolist() == [[120, 80]] * 3 + [[50, 60]]
    assert len(caches(split)) == 1


def test_other_reader_version_is_not_read(split, monkeypatch):
    load(split)
    monkeypatch.setattr(wider_face_index, '_VERSION', -1)
    forbid(monkeypatch, wider_face_index, 'read_wider_face_annotations')
    with pytest.raises(AssertionError, match='was called'):
        load(split)


def change(path, **arrays):
    """Write a cache file of the right key again, with other arrays."""
    with np.load(path) as old:
        np.savez(path, **{**old, **arrays})


def replace_method(path):
    """Say in the zip directory that the members are compressed by a method that does not exist."""
    content = path.read_bytes()
    path.write_bytes(content.replace(b'PK\x01\x02\x14\x03\x14\0\0\0\0\0', b'PK\x01\x02\x14\x03\x14\0\0\0\x63\0')
                     .replace(b'PK\x01\x02\x2d\x03\x2d\0\0\0\0\0', b'PK\x01\x02\x2d\x03\x2d\0\0\0\x63\0'))
    with pytest.raises(NotImplementedError):
        np.load(path)['key']


@pytest.mark.parametrize('damage', [
    truncate, lambda path: path.write_bytes(b''), replace_method,
    lambda path: change(path, boxes=np.zeros((2, 4), np.float32)),
    lambda path: change(path, sizes=np.zeros((3, 2))),
    lambda path: change(path, offsets=np.array([0, 3, 1, 3])),
    lambda path: change(path, file_names=np.frombuffer(b'e/a.jpg', np.uint8)),
], ids=['cut', 'empty', 'unknown compression', 'too few boxes', 'other type', 'falling offsets', 'too few names'])
def test_damaged_cache_is_replaced(split, damage, monkeypatch):
    load(split)
    damage(caches(split)[0])
    assert load(split).sizes.tolist() == [[120, 80]] * 3
    assert load(split).annotations.offsets.tolist() == [0, 1, 1, 3]
    forbid(monkeypatch, wider_face_index, 'read_wider_face_annotations')
    load(split)


def test_images_that_come_and_go(split, monkeypatch):
    (split[1] / 'e' / 'a.jpg').unlink()
    assert load(split).sizes.tolist() == [[MISSING] * 2, [120, 80], [120, 80]]
    write_image(split[1] / 'e' / 'a.jpg', size=(30, 20))
    (split[1] / 'f' / 'c.jpg').unlink()
    assert load(split).sizes.tolist() == [[30, 20], [120, 80], [MISSING] * 2]
    forbid(monkeypatch, image_files, 'read_image_size')
    assert load(split).sizes.tolist() == [[30, 20], [120, 80], [MISSING] * 2]


def test_image_folders_have_their_own_sizes(split, tmp_path):
    for name in IMAGES:
        write_image(tmp_path / 'half' / name, size=(60, 40))
    assert load(split).sizes.tolist() == [[120, 80]] * 3
    assert load((split[0], tmp_path / 'half')).sizes.tolist() == [[60, 40]] * 3
    assert load(split).sizes.tolist() == [[120, 80]] * 3


def test_read_only_folder_uses_the_user_cache(split, tmp_path, monkeypatch):
    split[0].parent.chmod(0o555)
    load(split)
    assert not caches(split)
    assert len(list((tmp_path / 'user_cache' / 'mmseam').glob('*.npz'))) == 1
    forbid(monkeypatch, image_files, 'read_image_size')
    load(split)


def test_no_place_for_a_cache(split, tmp_path):
    split[0].parent.chmod(0o555)
    (tmp_path / 'user_cache').write_text('a file where the folder should be')
    assert load(split).sizes.tolist() == [[120, 80]] * 3
    assert not caches(split)


def test_missing_annotation_file(split, tmp_path):
    with pytest.raises(FileNotFoundError, match='nothing.txt: no such annotation file. Unpack'):
        load((tmp_path / 'nothing.txt', split[1]))


def _load_and_report(split, barrier, results):
    barrier.wait(60)
    results.put(load(split).sizes.tolist())


def test_processes_that_start_together(split):
    context = multiprocessing.get_context('fork')
    barrier, results = context.Barrier(4), context.Queue()
    ranks = [context.Process(target=_load_and_report, args=(split, barrier, results)) for _ in range(4)]
    for rank in ranks:
        rank.start()
    assert [results.get(timeout=60) for _ in ranks] == [[[120, 80]] * 3] * 4
    for rank in ranks:
        rank.join(60)
    assert [path.suffix for path in sorted(split[0].parent.iterdir())] == ['.npz', '.txt']
