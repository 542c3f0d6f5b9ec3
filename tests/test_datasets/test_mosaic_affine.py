"""``MosaicAffine`` against MMYOLO's two transforms, and what its memory of images does."""
import cv2
import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.dataset import Compose
from torch.utils.data import DataLoader
from wider_face_files import face, truncate, write_wider_face

from mmseam.datasets import WIDERFaceDataset
from mmseam.datasets.transforms.affine_paste import affine_paste
from mmseam.registry import TRANSFORMS

pytestmark = pytest.mark.usefixtures('mmyolo_scope')

SIDE = 128
UPRIGHT = dict(max_rotate_degree=0.0, max_shear_degree=0.0)
COLORS = [(0, 0, 255), (0, 255, 0), (255, 0, 0), (0, 255, 255), (255, 0, 255)]


class Samples:
    """A dataset of smooth pictures (width, height of ``size`` and others), some boxes in each."""

    def __init__(self, number=8, size=(200, 140), boxes=12):
        rng = np.random.default_rng(0)
        self.samples = []
        for index in range(number):
            width, height = size[0] + 9 * index, size[1] + 31 * (index % 3)
            noise = rng.integers(0, 255, (5, 6, 3), dtype=np.uint8)
            corner = rng.uniform(0, 0.8, (boxes, 2)) * [width, height]
            box = np.hstack([corner, (corner + rng.uniform(2, 60, (boxes, 2))).clip(0, [width, height])])
            self.samples.append((cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), box))
        self.loaded = 0

    def __len__(self):
        return len(self.samples)

    def get_data_info(self, index):
        self.loaded += 1
        image, boxes = self.samples[index]
        return dict(img=image.copy(), img_shape=image.shape[:2],
                    gt_bboxes=HorizontalBoxes(torch.tensor(boxes, dtype=torch.float32)),
                    gt_bboxes_labels=np.arange(len(boxes)) + 100 * index,
                    gt_ignore_flags=np.arange(len(boxes)) % 3 == 0)

    def __getitem__(self, index):
        return dict(self.get_data_info(index), dataset=self)


def mosaic_affine(size=(SIDE, SIDE), **options):
    return TRANSFORMS.build(dict(type='mmseam.MosaicAffine', img_scale=size, **options))


def host(size=(SIDE, SIDE), center_ratio_range=(0.5, 1.5), **affine):
    border = (-size[0] // 2, -size[1] // 2)
    return Compose([
        dict(type='Mosaic', img_scale=size, center_ratio_range=center_ratio_range),
        dict(type='YOLOv5RandomAffine', border=border, **affine)])


def seeded(transform, sample, seed):
    np.random.seed(seed)  # noqa: NPY002  (what MMYOLO draws from)
    return transform(sample)


def tile_borders(image):
    """Where an image is gray, a pixel around it included."""
    gray = (image == 114).all(-1).astype(np.uint8)
    return cv2.dilate(gray, np.ones((5, 5), np.uint8)).astype(bool)


CASES = {
    'as in the configs': UPRIGHT,
    'rotation and shear': dict(max_rotate_degree=20.0, max_shear_degree=8.0),
    'strict limits': dict(UPRIGHT, min_bbox_size=9, min_area_ratio=0.6, max_aspect_ratio=1.6),
    'wide scale': dict(UPRIGHT, scaling_ratio_range=(0.1, 1.9), max_translate_ratio=0.3),
    'center anywhere': dict(UPRIGHT, center_ratio_range=(0.0, 2.0)),
}


@pytest.mark.parametrize('options', CASES.values(), ids=CASES)
@pytest.mark.parametrize('size', [(SIDE, SIDE), (160, 96)], ids=str)
def test_same_boxes_and_picture_as_the_host(options, size):
    dataset, ours, reference = Samples(), mosaic_affine(size, **options), host(size, **options)
    kept = 0
    for seed in range(15):
        result = seeded(ours, dataset[seed % 8], seed)
        expected = seeded(reference, dataset[seed % 8], seed)
        torch.testing.assert_close(result['gt_bboxes'].tensor, expected['gt_bboxes'].tensor, atol=1e-3, rtol=0)
        for key in ('gt_bboxes_labels', 'gt_ignore_flags'):
            np.testing.assert_array_equal(result[key], expected[key])
        assert result['img'].shape == expected['img'].shape and result['img'].dtype == np.uint8
        assert result['img_shape'] == result['img'].shape[:2]
        kept += len(result['gt_bboxes'])
        gray = [(picture == 114).all(-1).mean() for picture in (result['img'], expected['img'])]
        assert abs(gray[0] - gray[1]) < 0.03
    assert kept > 50


def test_picture_is_the_hosts_but_for_half_a_pixel():
    """In the smooth pictures that is little, but at the seams, of which the median knows nothing."""
    dataset, ours, reference = Samples(), mosaic_affine(**UPRIGHT), host(**UPRIGHT)
    for seed in range(20):
        pictures = [seeded(t, dataset[0], seed)['img'].astype(int) for t in (ours, reference)]
        inner = ~(tile_borders(pictures[0]) | tile_borders(pictures[1]))
        difference = np.abs(pictures[0] - pictures[1])[inner]
        assert difference.size == 0 or np.median(difference) <= 2


def colored(index, scale=1):
    """Make a black image with one colored rectangle, and its box."""
    image = np.zeros((90 * scale, 120 * scale, 3), np.uint8)
    x1, y1, x2, y2 = (value * scale for value in (20 + 7 * index, 15 + 3 * index, 80 + 5 * index, 70))
    image[y1:y2, x1:x2] = COLORS[index]
    return image, np.array([[x1, y1, x2, y2]], dtype=float)


@pytest.mark.parametrize('scale', [1, 2, 7])
@pytest.mark.parametrize('upright', [True, False])
def test_boxes_stay_on_their_objects(scale, upright):
    """Whatever the size of the image, that is, whether it is shrunk first or not."""
    options = UPRIGHT if upright else dict(max_rotate_degree=8.0, max_shear_degree=5.0)
    dataset = Samples(0)
    dataset.samples = [colored(index, scale) for index in range(5)]
    ours, seen = mosaic_affine(min_area_ratio=0.0, **options), 0
    for seed in range(40):
        result = seeded(ours, dataset[seed % 5], seed)
        for label in np.unique(result['gt_bboxes_labels']):
            boxes = result['gt_bboxes'].tensor.numpy()[result['gt_bboxes_labels'] == label]
            if len(boxes) > 1:
                continue  # the same image twice
            rows, columns = np.nonzero((np.abs(result['img'].astype(int) - COLORS[label // 100]) < 128).all(-1))
            found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            if upright:
                np.testing.assert_allclose(found, boxes[0], atol=1.01)
            # Around a turned rectangle there is room in the box.
            assert (found[:2] >= boxes[0, :2] - 1.01).all() and (found[2:] <= boxes[0, 2:] + 1.01).all()
            seen += 1
    assert seen > 50


@pytest.mark.parametrize('scale', [0.13, 0.3, 0.6, 1.0, 1.7])
def test_picture_and_coordinates_agree_to_a_fraction_of_a_pixel(scale):
    """OpenCV's own convention would be off by half of (scale - 1) pixels."""
    image = np.zeros((200, 300, 3), np.uint8)
    image[40:120, 60:220] = 255
    image = cv2.GaussianBlur(image, (0, 0), 6)  # a hard edge would be sampled unevenly
    target = np.zeros((360, 540, 4), np.uint8)
    matrix = np.array([[scale, 0, 7.3], [0, scale, 11.6]])
    affine_paste(target, cv2.cvtColor(image, cv2.COLOR_BGR2BGRA), matrix, (0, 0, 300, 200))
    light = target[..., :3].mean(-1) / 255
    for axis, (start, end) in enumerate([(60, 220), (40, 120)]):
        profile = light.sum(axis)
        middle = (profile * (np.arange(len(profile)) + 0.5)).sum() / profile.sum()
        assert middle == pytest.approx((start + end) / 2 * scale + matrix[axis, 2], abs=0.04)


def test_samples_without_boxes():
    result = seeded(mosaic_affine(), Samples(boxes=0)[0], 0)
    assert len(result['gt_bboxes']) == len(result['gt_bboxes_labels']) == len(result['gt_ignore_flags']) == 0
    assert result['gt_bboxes'].tensor.shape == (0, 4)


def test_probability():
    dataset, ours = Samples(), mosaic_affine(prob=0.5)
    unchanged = sum(seeded(ours, dataset[0], seed)['img'].shape[:2] == (140, 200) for seed in range(60))
    assert 15 < unchanged < 45


def test_masks_are_refused():
    with pytest.raises(ValueError, match='boxes only'):
        mosaic_affine()(dict(Samples()[0], gt_masks=[]))


def test_missing_dataset_is_named():
    sample = Samples()[0]
    del sample['dataset']
    with pytest.raises(KeyError, match='dataset'):
        mosaic_affine()(sample)


# ======================== Memory of images ========================
def test_cached_decodes_once_per_sample_and_stays_bounded():
    dataset, ours = Samples(40), mosaic_affine(use_cached=True, max_cached_images=12)
    for step in range(30):
        before = dataset.loaded
        ours(dataset[step])
        # While the memory fills, the three others are loaded as well.
        assert dataset.loaded - before == (4 if step < 3 else 1)
        assert len(ours.results_cache) == min(4 * (step + 1), 12)


def test_cached_tiles_are_recent_images():
    dataset, ours = Samples(300, boxes=1), mosaic_affine(use_cached=True, max_cached_images=4, min_area_ratio=0.0)
    ages = []
    for step in range(300):
        images = ours(dataset[step])['gt_bboxes_labels'] // 100
        ages += (step - images[images != step]).tolist() if step > 10 else []
    assert len(ages) > 100 and np.mean(ages) < 8


def test_cached_images_never_change():
    """Neither by the transform nor by what a later step does to its result."""
    dataset, ours = Samples(), mosaic_affine(use_cached=True, max_cached_images=8, **UPRIGHT)
    for step in range(2):
        ours(dataset[step])
    tiles = list(ours.results_cache)
    before = [tuple(part.copy() for part in tile) for tile in tiles]
    result = ours(dataset[3])
    result['img'][:] = 0
    result['gt_bboxes'].tensor.zero_()
    result['gt_bboxes_labels'][:] = -1
    for parts, tile in zip(before, tiles):
        for part, now in zip(parts, tile):
            np.testing.assert_array_equal(now, part)


# ======================== In a dataset ========================
def faces(tmp_path, number=10, **options):
    split = write_wider_face(tmp_path, {f'e/{i}.jpg': [face(10 + i, 10, 60, 50)] for i in range(number)})
    load = [dict(type='mmseam.LoadIntactImage'), dict(type='LoadAnnotations', with_bbox=True)]
    step = dict(type='mmseam.MosaicAffine', img_scale=(64, 64), pre_transform=load, min_area_ratio=0.0, **options)
    pack = dict(type='mmseam.PackPlanarInputs', meta_keys=('img_id', 'img_shape'))
    return WIDERFaceDataset(**split, pipeline=[*load, step, pack])


@pytest.mark.parametrize('cached', [False, True])
def test_damaged_images_are_replaced(tmp_path, cached):
    dataset = faces(tmp_path, use_cached=cached)
    for index in (1, 2):
        truncate(tmp_path / 'WIDER_train' / 'images' / 'e' / f'{index}.jpg')
    with pytest.warns(UserWarning, match='[12].jpg: the JPEG file is truncated'):
        samples = [dataset[i % 10] for i in range(20)]
    assert all(sample['inputs'].shape == (3, 64, 64) for sample in samples)
    assert not {1, 2} & {sample['data_samples'].img_id for sample in samples}


def test_worker_processes(tmp_path):
    dataset = faces(tmp_path, use_cached=True, max_cached_images=5)
    loader = DataLoader(dataset, batch_size=5, num_workers=2, collate_fn=list, persistent_workers=True)
    for _ in range(2):
        samples = [sample for batch in loader for sample in batch]
        assert [sample['data_samples'].img_id for sample in samples] == list(range(10))
        assert all(sample['inputs'].float().std() > 0 for sample in samples)
        assert sum(len(sample['data_samples'].gt_instances) for sample in samples) > 5
