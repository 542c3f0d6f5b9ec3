"""``LoadIntactImage``: damaged image files in training and in test."""
import errno
import io
import json
import multiprocessing
import resource
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from wider_face_files import face, truncate, write_wider_face

from mmseam.datasets import LoadIntactImage, WIDERFaceDataset
from mmseam.datasets.image_files import read_image_size
from mmseam.datasets.transforms.loading import BAD_IMAGE_LOG

pytestmark = pytest.mark.usefixtures('mmyolo_scope')


def jpeg(size=(120, 80), **options) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (8, 12, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(cv2.resize(noise, size)).save(buffer, 'jpeg', **options)
    return buffer.getvalue()


def with_thumbnail() -> bytes:
    """Make a JPEG whose header contains a small JPEG, end marker included, as cameras do."""
    content = jpeg()
    thumbnail = b'Exif\0\0' + jpeg(size=(16, 16))
    return content[:2] + b'\xff\xe1' + (len(thumbnail) + 2).to_bytes(2, 'big') + thumbnail + content[2:]


INTACT = {
    'baseline': jpeg(),
    'progressive': jpeg(progressive=True),
    'with thumbnail': with_thumbnail(),
    'bytes behind the end': jpeg() + bytes(3000),
    'filling before a marker': jpeg()[:2] + b'\xff\xff' + jpeg()[2:],
    'png': cv2.imencode('.png', np.zeros((80, 120, 3), np.uint8))[1].tobytes(),
}


def load(path):
    return LoadIntactImage().transform(dict(img_path=str(path)))


@pytest.mark.parametrize('kind', INTACT)
def test_intact_image_is_loaded_as_opencv_does(tmp_path, kind):
    path = tmp_path / 'image.jpg'
    path.write_bytes(INTACT[kind])
    results = load(path)
    np.testing.assert_array_equal(results['img'], cv2.imread(str(path)))
    assert results['img_shape'] == results['ori_shape'] == (80, 120)


@pytest.mark.parametrize('kind', ['baseline', 'progressive', 'with thumbnail'])
@pytest.mark.parametrize('kept', [0.01, 0.3, 0.6, 0.99])
def test_truncated_jpeg_is_named(tmp_path, kind, kept):
    path = tmp_path / 'image.jpg'
    path.write_bytes(INTACT[kind][:int(kept * len(INTACT[kind]))])
    with pytest.raises(OSError, match=f'{path}: the JPEG file is truncated'):
        load(path)


@pytest.mark.parametrize('content', [b'', b'<html>404</html>', INTACT['png'][:60]], ids=['empty', 'html', 'half a png'])
def test_undecodable_file_is_named(tmp_path, content):
    path = tmp_path / 'image.jpg'
    path.write_bytes(content)
    with pytest.raises(OSError, match=f'{path}: its {len(content)} bytes are not a readable image'):
        load(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nothing.jpg'):
        load(tmp_path / 'nothing.jpg')


# ======================== Very large images ========================
def claim_size(content: bytes, width: int, height: int) -> bytes:
    """Change the size in the header of a JPEG."""
    frame = max(content.find(b'\xff\xc0'), content.find(b'\xff\xc2'))
    return content[:frame + 5] + height.to_bytes(2, 'big') + width.to_bytes(2, 'big') + content[frame + 9:]


def test_panorama_of_190_megapixels_is_loaded(tmp_path):
    path = tmp_path / 'panorama.jpg'
    cv2.imwrite(str(path), np.zeros((9500, 20000), np.uint8))
    assert read_image_size(str(path)) == (20000, 9500)
    results = LoadIntactImage(reduce_to=2500).transform(dict(img_path=str(path), dataset=('in training', )))
    assert results['img_shape'] == (1188, 2500)


@pytest.mark.parametrize('options', [{}, dict(progressive=True)], ids=['baseline', 'progressive'])
def test_header_that_claims_more_than_the_file_holds(tmp_path, options):
    path = tmp_path / 'bomb.jpg'
    path.write_bytes(claim_size(jpeg(**options), 16000, 16000))
    assert read_image_size(str(path)) == (16000, 16000)
    with pytest.raises(OSError, match=f'{path}: damaged: its header claims 256,000,000 pixels.*download it again'):
        load(path)


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.tif'])
def test_image_that_is_too_large_is_named(tmp_path, suffix):
    path = tmp_path / f'large{suffix}'
    if suffix == '.jpg':
        path.write_bytes(claim_size(jpeg(), 30000, 10000) + bytes(1_000_000))
    else:
        Image.new('1', (30000, 10000)).save(path)
    with pytest.raises(OSError, match=f'{path}: .*(exceed the limit of|too many pixels).*; scale the image down'):
        load(path)


def test_one_huge_header_does_not_stop_the_dataset(tmp_path):
    split = write_wider_face(tmp_path, {f'e/{i}.jpg': [face(10 * i, 10, 20, 20)] for i in range(3)})
    image = tmp_path / 'WIDER_train' / 'images' / 'e' / '1.jpg'
    image.write_bytes(claim_size(image.read_bytes(), 60000, 60000))
    dataset = WIDERFaceDataset(**split, pipeline=[dict(type='mmseam.LoadIntactImage')])
    with pytest.warns(UserWarning, match='1.jpg: damaged: its header claims 3,600,000,000 pixels'):
        assert dataset[1]['file_name'] != 'e/1.jpg'


# ======================== What is no fault of the image ========================
def _load_with_little_memory(dataset, results):
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**27, -1))
    try:
        results.put(dataset[0]['file_name'])
    except MemoryError as error:
        results.put(f'MemoryError: {error}')


@pytest.mark.parametrize('options', [{}, dict(progressive=True)], ids=['baseline', 'progressive'])
def test_lack_of_memory_replaces_no_sample(tmp_path, options):
    split = write_wider_face(tmp_path, {f'e/{i}.jpg': [face(10, 10, 20, 20)] for i in range(2)})
    Image.new('RGB', (8000, 8000)).save(tmp_path / 'WIDER_train' / 'images' / 'e' / '0.jpg', **options)
    dataset = WIDERFaceDataset(**split, pipeline=[dict(type='mmseam.LoadIntactImage')])
    context = multiprocessing.get_context('fork')
    results = context.Queue()
    process = context.Process(target=_load_with_little_memory, args=(dataset, results))
    process.start()
    assert results.get(timeout=60).startswith('MemoryError: ')
    process.join(60)


@pytest.mark.parametrize('number', [errno.EMFILE, errno.ENOMEM, errno.ENETUNREACH])
def test_error_of_the_machine_replaces_no_sample(tmp_path, monkeypatch, number):
    dataset = damaged_dataset(tmp_path, bad=[])

    def fail(*args, **kwargs):
        raise OSError(number, 'not because of the file')

    monkeypatch.setattr('mmengine.fileio.get', fail)
    with pytest.raises(OSError, match='not because of the file'):
        dataset[0]


def damaged_dataset(tmp_path, bad, **options):
    split = write_wider_face(tmp_path, {f'e/{i}.jpg': [face(10 * i, 10, 20, 20)] for i in range(4)})
    dataset = WIDERFaceDataset(**split, pipeline=[dict(type='mmseam.LoadIntactImage')], **options)
    for i in bad:
        truncate(tmp_path / 'WIDER_train' / 'images' / 'e' / f'{i}.jpg')
    return dataset


def test_training_goes_on_with_another_sample(tmp_path, monkeypatch):
    log = tmp_path / 'bad.tsv'
    log.touch()
    monkeypatch.setenv(BAD_IMAGE_LOG, str(log))
    dataset = damaged_dataset(tmp_path, bad=[1, 2])
    with pytest.warns(UserWarning, match='bad image, another sample is used: .*[12].jpg: the JPEG file is truncated'):
        samples = [dataset[1] for _ in range(20)]
    assert {sample['file_name'] for sample in samples} == {'e/0.jpg', 'e/3.jpg'}
    for sample in samples:
        # Image and faces are of the same sample.
        np.testing.assert_array_equal(sample['img'], cv2.imread(sample['img_path']))
        assert sample['instances'][0]['bbox'][0] == 10 * sample['img_id']
        assert sample['dataset'] is dataset
    assert {json.loads(line)[0][-5:] for line in log.read_text().splitlines()} == {'1.jpg', '2.jpg'}


def test_bad_images_are_not_noted_after_training(tmp_path, monkeypatch):
    log = tmp_path / 'bad.tsv'
    monkeypatch.setenv(BAD_IMAGE_LOG, str(log))
    dataset = damaged_dataset(tmp_path, bad=[1])
    with pytest.warns(UserWarning, match='bad image'):
        dataset[1]
    assert not log.exists()


def test_image_removed_while_training(tmp_path):
    dataset = damaged_dataset(tmp_path, bad=[])
    (tmp_path / 'WIDER_train' / 'images' / 'e' / '0.jpg').unlink()
    with pytest.warns(UserWarning, match='0.jpg'):
        assert dataset[0]['file_name'] != 'e/0.jpg'


def test_training_stops_when_no_image_is_good(tmp_path):
    dataset = damaged_dataset(tmp_path, bad=range(4))
    message = '16 images in a row could not be read.*check data_root'
    with pytest.warns(UserWarning, match='bad image'), pytest.raises(OSError, match=message):
        dataset[0]


def test_test_mode_stops_at_a_bad_image(tmp_path):
    dataset = damaged_dataset(tmp_path, bad=[2], test_mode=True)
    assert dataset[1]['file_name'] == 'e/1.jpg'
    with pytest.raises(OSError, match='2.jpg: the JPEG file is truncated'):
        dataset[2]


def test_ignore_empty_gives_none_without_a_dataset(tmp_path):
    with pytest.warns(UserWarning, match='nothing.jpg'):
        assert LoadIntactImage(ignore_empty=True).transform(dict(img_path=str(tmp_path / 'nothing.jpg'))) is None
