"""``LoadIntactImage`` with reduced decoding and with a cache."""
import os

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from torch.utils.data import DataLoader
from wider_face_files import face, truncate, write_image, write_wider_face

from mmseam.datasets import LoadIntactImage, WIDERFaceDataset
from mmseam.datasets.transforms.image_cache import DiskCache, RAMCache
from mmseam.datasets.transforms.reduced_jpeg import decode_reduced, reduce_instance

pytestmark = pytest.mark.usefixtures('mmyolo_scope')


def sample(path, dataset=('in training', ), bbox=(101, 50, 201, 110)):
    return dict(img_path=str(path), dataset=dataset, instances=[dict(bbox=list(bbox), bbox_label=0, ignore_flag=0)])


def write_rectangle(path, box, size=(401, 230)):
    """Make a black image with a white box; ``size`` = (width, height), which no factor divides."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[box[1]:box[3], box[0]:box[2]] = 255
    cv2.imwrite(str(path), image)


# ======================== Reduced decoding ========================
@pytest.mark.parametrize(
    'reduce_to, factor', [(None, 1), (402, 1), (201, 1), (200, 2), (101, 2), (100, 4), (50, 8), (1, 8)])
def test_longer_side_stays_long_enough(tmp_path, reduce_to, factor):
    write_image(tmp_path / 'a.jpg', (401, 230))
    result = LoadIntactImage(reduce_to=reduce_to)(sample(tmp_path / 'a.jpg'))
    expected = tuple(-(-side // factor) for side in (230, 401))
    assert result['img'].shape[:2] == result['img_shape'] == result['ori_shape'] == expected
    assert reduce_to is None or factor == 1 or max(expected) >= reduce_to
    np.testing.assert_allclose(result['instances'][0]['bbox'], np.array([101, 50, 201, 110]) / factor)


@pytest.mark.parametrize('factor', [2, 4, 8])
def test_box_stays_on_its_object(tmp_path, factor):
    box = (101, 50, 201, 110)
    write_rectangle(tmp_path / 'a.jpg', box)
    result = LoadIntactImage(reduce_to=400 // factor)(sample(tmp_path / 'a.jpg', bbox=box))
    light = result['img'].mean(-1) / 255
    x1, y1, x2, y2 = result['instances'][0]['bbox']
    # The sums of lightness are the box's sides to a fraction of a pixel, whatever is in between white and black.
    assert light[int((y1 + y2) / 2)].sum() == pytest.approx(x2 - x1, abs=0.2)
    assert light[:, int((x1 + x2) / 2)].sum() == pytest.approx(y2 - y1, abs=0.2)
    columns = np.arange(light.shape[1]) + 0.5
    assert (light.sum(0) * columns).sum() / light.sum() == pytest.approx((x1 + x2) / 2, abs=0.2)


def test_test_mode_is_never_reduced(tmp_path):
    write_image(tmp_path / 'a.jpg', (400, 230))
    assert LoadIntactImage(reduce_to=50)(dict(img_path=str(tmp_path / 'a.jpg')))['img'].shape == (230, 400, 3)


def test_exif_orientation_is_applied():
    from io import BytesIO

    from PIL import Image
    exif, buffer = Image.Exif(), BytesIO()
    exif[0x0112] = 6
    Image.new('RGB', (400, 200)).save(buffer, 'jpeg', exif=exif)
    image, factor = decode_reduced(buffer.getvalue(), 100)
    assert factor == 4 and image.shape == (100, 50, 3)


@pytest.mark.parametrize('suffix', ['.png', '.bmp'])
def test_only_jpeg_is_reduced(tmp_path, suffix):
    write_image(tmp_path / f'a{suffix}', (400, 230))
    assert LoadIntactImage(reduce_to=50)(sample(tmp_path / f'a{suffix}'))['img'].shape == (230, 400, 3)


def test_polygons_are_scaled_and_run_lengths_refused():
    reduced = reduce_instance(dict(bbox=[8, 4, 16, 12], mask=[[8, 4, 16, 4, 16, 12]], ignore_flag=0), 4)
    assert reduced['bbox'] == [2, 1, 4, 3] and reduced['mask'] == [[2, 1, 4, 1, 4, 3]]
    with pytest.raises(ValueError, match='run-length'):
        reduce_instance(dict(bbox=[8, 4, 16, 12], mask=dict(counts=[1, 2], size=[3, 3]), ignore_flag=0), 4)


def test_other_colors_are_refused():
    with pytest.raises(ValueError, match='reduce_to'):
        LoadIntactImage(reduce_to=100, color_type='grayscale')


def test_same_mosaic_from_reduced_images(tmp_path):
    """Boxes and, nearly, the picture are those of the full images."""
    split = write_wider_face(tmp_path, {f'e/{i}.jpg': [face(20 * i, 40, 200, 150)] for i in range(6)}, size=(640, 400))
    results = []
    for reduce_to in (None, 100):
        load = [dict(type='mmseam.LoadIntactImage', reduce_to=reduce_to), dict(type='LoadAnnotations', with_bbox=True)]
        mosaic = dict(type='mmseam.MosaicAffine', img_scale=(96, 96), pre_transform=load, max_rotate_degree=0.,
                      max_shear_degree=0.)
        dataset = WIDERFaceDataset(**split, pipeline=[*load, mosaic])
        np.random.seed(0)  # noqa: NPY002
        results.append([dataset[i] for i in range(6)])
    for full, reduced in zip(*results):
        np.testing.assert_allclose(full['gt_bboxes'].tensor, reduced['gt_bboxes'].tensor, atol=1e-3)
        assert np.median(np.abs(full['img'].astype(int) - reduced['img'])) <= 3
    assert sum(len(result['gt_bboxes']) for result in results[0]) > 6


# ======================== Cache ========================
def caches(tmp_path):
    return dict(ram=dict(cache='ram'), disk=dict(cache='disk', cache_dir=str(tmp_path / 'cache')))


@pytest.mark.parametrize('kind', ['ram', 'disk'])
@pytest.mark.parametrize('reduce_to', [None, 100])
def test_cached_image_is_the_same_and_the_callers_own(tmp_path, monkeypatch, kind, reduce_to):
    write_image(tmp_path / 'a.jpg', (400, 230))
    plain = LoadIntactImage(reduce_to=reduce_to)(sample(tmp_path / 'a.jpg'))
    load = LoadIntactImage(reduce_to=reduce_to, **caches(tmp_path)[kind])
    load(sample(tmp_path / 'a.jpg'))['img'][:] = 0
    monkeypatch.setattr(load, '_load', None)  # no more decoding
    for _ in range(2):
        result = load(sample(tmp_path / 'a.jpg'))
        np.testing.assert_array_equal(result['img'], plain['img'])
        assert type(result['img']) is np.ndarray and result['instances'] == plain['instances']
        result['img'][:] = 0


@pytest.mark.parametrize('kind', ['ram', 'disk'])
def test_changed_file_is_read_again(tmp_path, kind):
    load = LoadIntactImage(**caches(tmp_path)[kind])
    write_image(tmp_path / 'a.jpg', seed=0)
    first = load(sample(tmp_path / 'a.jpg'))['img']
    write_image(tmp_path / 'a.jpg', seed=1)
    os.utime(tmp_path / 'a.jpg', (1, 1))
    assert (load(sample(tmp_path / 'a.jpg'))['img'] != first).any()


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04', b'\x93NUMPY\x01\0\x05\0(((((', np.float64],
                         ids=['empty', 'zip', 'no header', 'another type'])
def test_damaged_file_of_the_cache_is_replaced(tmp_path, content):
    write_image(tmp_path / 'a.jpg')
    load = LoadIntactImage(**caches(tmp_path)['disk'])
    expected = load(sample(tmp_path / 'a.jpg'))['img']
    kept, = (tmp_path / 'cache').iterdir()
    if content is np.float64:
        np.save(kept, np.zeros((4, 5)))
    else:
        kept.write_bytes(content)
    with pytest.warns(UserWarning, match=f'{kept} is not an image and is replaced'):
        np.testing.assert_array_equal(load(sample(tmp_path / 'a.jpg'))['img'], expected)
    np.testing.assert_array_equal(np.load(kept), expected)


def test_memory_is_bounded(tmp_path):
    image = np.zeros((128, 128, 64), np.uint8)  # 1 MB
    for cache in (RAMCache(2.5 / 1024), DiskCache(2.5 / 1024, str(tmp_path))):
        for name in 'abc':
            cache.put(name, image)
        assert [cache.get(name) is not None for name in 'abc'] == [True, True, False]
    assert len(list(tmp_path.iterdir())) == 2


def test_full_disk_is_no_bad_image(tmp_path):
    (tmp_path / 'cache').write_text('a file where the folder should be')
    write_image(tmp_path / 'a.jpg')
    load = LoadIntactImage(**caches(tmp_path)['disk'])
    with pytest.warns(UserWarning, match='no more images are cached'):
        assert load(sample(tmp_path / 'a.jpg'))['img'].shape == (80, 120, 3)


@pytest.mark.parametrize('options, message', [(dict(cache='tape'), 'tape'), (dict(cache='disk'), 'cache_dir')])
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        LoadIntactImage(**options)


def test_damaged_image_is_replaced_and_not_cached(tmp_path):
    split = write_wider_face(tmp_path, {f'e/{i}.jpg': [face(10, 10, 20, 20)] for i in range(3)})
    truncate(tmp_path / 'WIDER_train' / 'images' / 'e' / '1.jpg')
    dataset = WIDERFaceDataset(**split, pipeline=[dict(type='mmseam.LoadIntactImage', **caches(tmp_path)['disk'])])
    for _ in range(3):
        with pytest.warns(UserWarning, match='1.jpg: the JPEG file is truncated'):
            assert dataset[1]['img_id'] != 1
    assert 1 <= len(list((tmp_path / 'cache').iterdir())) <= 2


def test_workers_share_the_disk(tmp_path):
    split = write_wider_face(tmp_path, {f'e/{i}.jpg': [face(10, 10, 20, 20)] for i in range(4)})
    load = dict(type='mmseam.LoadIntactImage', **caches(tmp_path)['disk'])
    dataset = WIDERFaceDataset(**split, pipeline=[load])
    for _ in range(2):
        loader = DataLoader(dataset, batch_size=1, num_workers=2, collate_fn=_images)
        for image, index in zip(loader, range(4)):
            path = tmp_path / 'WIDER_train' / 'images' / 'e' / f'{index}.jpg'
            np.testing.assert_array_equal(image, cv2.imread(str(path)))
    assert len(list((tmp_path / 'cache').iterdir())) == 4


def _images(samples):
    return samples[0]['img']


# ======================== Packing ========================
@pytest.mark.parametrize('flipped', [False, True])
@pytest.mark.parametrize('kind', ['color', 'float', 'gray'])
def test_packed_like_mmdetection(flipped, kind):
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    image = dict(color=image, float=image.astype(np.float32), gray=image[..., :1])[kind]
    image = image[:, ::-1] if flipped else image
    packed = [Compose([dict(type=name, meta_keys=('img_id', ))])(dict(img=image, img_id=3))
              for name in ('mmseam.PackPlanarInputs', 'mmdet.PackDetInputs')]
    np.testing.assert_array_equal(packed[0]['inputs'], packed[1]['inputs'])
    assert packed[0]['inputs'].is_contiguous() and packed[0]['inputs'].dtype == packed[1]['inputs'].dtype
    assert packed[0]['data_samples'].img_id == packed[1]['data_samples'].img_id == 3
