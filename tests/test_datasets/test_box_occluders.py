"""Occluders cover what they are asked to, on any box, and nothing else."""
import cv2
import numpy as np
import pytest

from mmseam.datasets.occlusion import (
    KINDS,
    DonorPool,
    Donors,
    cover_boxes,
    image_generator,
    load_samples,
    measure_coverage,
)
from mmseam.datasets.occlusion.samples import BoxSample

SIZE = (60, 90)
BOXES = {
    'whole pixels': [10, 12, 50, 44],
    'between pixels': [10.3, 12.6, 31.7, 40.2],
    'top left border': [-10.5, -6, 20, 15.5],
    'bottom right border': [70, 40, 130.2, 75],
    'around the image': [-5, -5, 95, 65],
    'tiny': [40.4, 30.2, 43.1, 33.9],
    'one pixel': [7, 8, 8, 9],
    'part of a pixel': [7.2, 8.1, 7.7, 8.9],
    'flat': [5, 30.5, 85, 32],
    'narrow': [44.2, 2, 45.9, 58],
}
every_kind = pytest.mark.parametrize('kind', KINDS)


@pytest.fixture(scope='module')
def donors():
    rng = np.random.default_rng(5)
    return Donors(*([rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
                    for sizes in (((40, 50), (8, 8)), ((24, 20), (100, 70)))))


def opacity_of(boxes, fraction, kind, donors, seed=0) -> np.ndarray:
    """Measure the opacity of each pixel from what is left of the contrast between a white and a black image."""
    white, black = (cover_boxes(np.full((*SIZE, 3), value, np.uint8), np.array(boxes, float), fraction, kind,
                                np.random.default_rng(seed), donors).image.astype(float) for value in (255, 0))
    return 1 - (white - black).mean(2) / 255


def inside_of(box) -> np.ndarray:
    """Area of each pixel in a box."""
    x1, y1, x2, y2 = box
    rows, columns = np.arange(SIZE[0]), np.arange(SIZE[1])
    return np.outer((np.minimum(rows + 1, y2) - np.maximum(rows, y1)).clip(0),
                    (np.minimum(columns + 1, x2) - np.maximum(columns, x1)).clip(0))


@every_kind
@pytest.mark.parametrize('name', BOXES)
def test_covered_fraction_is_the_one_asked_for(name, kind, donors):
    box, inside = BOXES[name], inside_of(BOXES[name])
    for seed, fraction in enumerate([.05, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1]):
        opacity = opacity_of([box], fraction, kind, donors, seed)
        assert opacity.sum() / inside.sum() == pytest.approx(fraction, abs=.02)
        assert (opacity <= inside + 1 / 255).all()
        covered = cover_boxes(np.zeros((*SIZE, 3), np.uint8), np.array([box]), fraction, kind,
                              np.random.default_rng(seed), donors)
        own, total = measure_coverage(np.array([box]), covered.occluders, SIZE)
        assert [*own, *total] == pytest.approx([fraction, fraction], abs=1e-5)


@every_kind
def test_fraction_0_changes_no_bit(kind):
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    covered = cover_boxes(image, np.array(list(BOXES.values())), 0, kind, np.random.default_rng(0))
    assert np.array_equal(covered.image, image)
    assert covered.image is not image
    assert covered.occluders == [None] * len(BOXES)


@every_kind
def test_image_is_not_changed_in_place(kind, donors):
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    before = image.copy()
    after = cover_boxes(image, np.array(list(BOXES.values())), .5, kind, np.random.default_rng(0), donors).image
    assert np.array_equal(image, before)
    assert not np.array_equal(after, before)


@pytest.mark.parametrize('box', [[95, 10, 120, 30], [10, -30, 20, 0], [10, 10, 10, 20], [20, 20, 10, 30]], ids=str)
def test_boxes_without_pixels_stay(box, donors):
    image = np.zeros((*SIZE, 3), np.uint8)
    covered = cover_boxes(image, np.array([box, BOXES['tiny']], float), .5, 'block', np.random.default_rng(0), donors)
    assert covered.occluders[0] is None
    assert covered.occluders[1] is not None
    own, total = measure_coverage(np.array([box, BOXES['tiny']]), covered.occluders, SIZE)
    assert np.isnan([own[0], total[0]]).all()
    assert own[1] == pytest.approx(.5)


def test_overlapping_neighbors_are_measured():
    """The upper box keeps its own half; the lower box's occluder starts where the upper one's ends."""
    boxes = np.array([[0, 0, 20, 20], [0, 10, 20, 50]])
    covered = cover_boxes(np.zeros((*SIZE, 3), np.uint8), boxes, .5, 'upper', np.random.default_rng(0))
    own, total = measure_coverage(boxes, covered.occluders, SIZE)
    assert own.tolist() == [.5, .5]
    assert total.tolist() == [1, .5]


def test_lower_and_upper_cover_those_rows(donors):
    for kind, rows in (('lower', slice(30, 40)), ('upper', slice(20, 30))):
        expected = np.zeros(SIZE)
        expected[rows, 10:30] = 1
        assert np.array_equal(opacity_of([[10, 20, 30, 40]], .5, kind, donors), expected)


def test_bars_stand_side_by_side(donors):
    opacity = opacity_of([[0, 0, 80, 60]], .5, 'bars', donors)
    assert (opacity == opacity[:1]).all()
    edges = np.diff(np.r_[0., opacity[0], 0.] > .5)
    assert 2 <= np.count_nonzero(edges) // 2 <= 5


@every_kind
def test_same_generator_same_picture(kind, donors):
    image, boxes = np.zeros((*SIZE, 3), np.uint8), np.array(list(BOXES.values()))
    first, again, other = (cover_boxes(image, boxes, .4, kind, np.random.default_rng(seed), donors).image
                           for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_occluder_of_a_box_depends_on_no_other_box(donors):
    boxes = np.array([BOXES['whole pixels'], BOXES['tiny']], float)
    alone, both = (cover_boxes(np.zeros((*SIZE, 3), np.uint8), chosen, .4, 'block', np.random.default_rng(3), donors)
                   for chosen in (boxes[:1], boxes))
    assert np.array_equal(alone.occluders[0].box, both.occluders[0].box)


@pytest.mark.parametrize('kind', ['lower', 'upper', 'block', 'bars'])
def test_color_is_the_same_for_every_fraction(kind, donors):
    colors = {tuple(cover_boxes(np.zeros((*SIZE, 3), np.uint8), np.array([BOXES['whole pixels']], float), fraction,
                                kind, np.random.default_rng(4)).occluders[0].pixels[0, 0]) for fraction in (.2, .5, .8)}
    assert len(colors) == 1


@pytest.mark.parametrize('kind, fraction, donors, message', [
    ('mask', .5, Donors(), "unknown kind of occluder 'mask'; choose from lower, upper, block, bars, texture, face"),
    ('lower', 1.1, Donors(), 'the covered fraction must be between 0 and 1, not 1.1'),
    ('lower', float('nan'), Donors(), 'the covered fraction must be between 0 and 1, not nan'),
    ('texture', .5, Donors(), "no picture to cut occluders of the kind 'texture' from: it takes another image"),
    ('face', .5, Donors([np.zeros((9, 9, 3), np.uint8)]), 'it takes another image with an annotated box'),
], ids=['kind', 'fraction', 'nan', 'texture', 'face'])
def test_impossible_requests(kind, fraction, donors, message):
    with pytest.raises(ValueError, match=message):
        cover_boxes(np.zeros((*SIZE, 3), np.uint8), np.array([BOXES['tiny']]), fraction, kind,
                    np.random.default_rng(0), donors)


# ======================== Pictures of other images ========================
def write_samples(folder, number=4) -> list:
    """Gray images, each of its own value; its face is 10 brighter than its background."""
    samples = []
    for index in range(number):
        image = np.full((40, 60, 3), 40 * (index % 6) + 20, np.uint8)
        image[5:25, 10:26] += 10
        path = folder / f'{index}.png'
        cv2.imwrite(str(path), image)
        samples.append(BoxSample(path, np.array([[10, 5, 26, 25.]]), np.array([False])))
    return samples


def test_pictures_come_from_other_images(tmp_path):
    samples = write_samples(tmp_path)
    pool = DonorPool(samples)
    for index, sample in enumerate(samples):
        donors = pool.without(sample.path)
        others = [40 * other + 20 for other in range(4) if other != index]
        assert sorted(int(texture.max()) for texture in donors.textures) == others
        assert sorted(int(face.min()) for face in donors.faces) == [value + 10 for value in others]


def test_pictures_do_not_depend_on_the_order_of_images(tmp_path):
    samples = write_samples(tmp_path, 70)
    pictures = [[picture.tolist() for pictures in DonorPool(order).without(samples[3].path) for picture in pictures]
                for order in (samples, samples[::-1])]
    assert pictures[0] == pictures[1]
    assert len(pictures[0]) < 2 * 69


def test_ignored_faces_are_no_occluders(tmp_path):
    samples = [BoxSample(sample.path, sample.boxes, ~sample.ignore) for sample in write_samples(tmp_path)]
    assert DonorPool(samples).without(samples[0].path).faces == []


def test_generator_of_an_image_depends_on_name_seed_and_kind(tmp_path):
    draws = [image_generator(*request).random() for request in (
        (0, tmp_path / 'a.jpg', 'face'), (0, 'other/a.jpg', 'face'), (1, 'a.jpg', 'face'), (0, 'b.jpg', 'face'),
        (0, 'a.jpg', 'bars'))]
    assert draws[0] == draws[1]
    assert len(set(draws)) == 4


@pytest.mark.parametrize('dataset', ['masked_crowds', 'wider_face'])
def test_real_boxes(dataset, test_data):
    root = test_data / dataset
    if dataset == 'masked_crowds':
        samples = load_samples(root / 'test.json', root / 'images')[:20]
    else:
        samples = load_samples(root / 'wider_face_split' / 'wider_face_val_bbx_gt.txt', root / 'WIDER_val' / 'images',
                               missing='skip')[:12]
    pool = DonorPool(samples)
    for sample in samples:
        boxes, image = sample.boxes[~sample.ignore], cv2.imread(str(sample.path))
        for kind in KINDS:
            for fraction in (.2, .8):
                covered = cover_boxes(image, boxes, fraction, kind, image_generator(0, sample.path, kind),
                                      pool.without(sample.path))
                own, total = measure_coverage(boxes, covered.occluders, image.shape[:2])
                assert own == pytest.approx(np.full(len(boxes), fraction), abs=.02)
                assert (total > own - 1e-4).all()
