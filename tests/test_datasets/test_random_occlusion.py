"""RandomOcclusion in the pipelines of YOLO configs."""
import random
from copy import deepcopy

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config
from mmengine.registry import DefaultScope
from wider_face_files import face, write_wider_face

from mmseam.datasets.occlusion import KINDS
from mmseam.registry import DATASETS, TRANSFORMS
from mmseam.utils.config import find_config

BOXES = np.array([[5, 5, 45, 35], [50, 20, 80, 60], [85.5, 40, 110, 71.5]])


def sample(value=None, ignored=(False, False, True)) -> dict:
    """Make a sample before packing: noise, or one gray value."""
    image = np.random.default_rng(0).integers(0, 256, (80, 120, 3), dtype=np.uint8)
    if value is not None:
        image[:] = value
    return dict(img=image, img_shape=(80, 120), gt_bboxes=HorizontalBoxes(torch.tensor(BOXES)),
                gt_bboxes_labels=np.zeros(3, int), gt_ignore_flags=np.array(ignored))


def build(**options):
    return TRANSFORMS.build(dict(type='mmseam.RandomOcclusion', **options))


def inner(image, box) -> np.ndarray:
    x1, y1, x2, y2 = (int(side) for side in box)
    return image[y1:y2, x1:x2].astype(float)


@pytest.mark.parametrize('kind', KINDS)
def test_covers_boxes_and_keeps_annotations(kind):
    random.seed(3)
    before = sample()
    after = build(prob=1, kinds=[kind])(deepcopy(before))
    changed = (after['img'] != before['img']).any(2)
    assert all(changed[int(y1):int(y2), int(x1):int(x2)].any() for x1, y1, x2, y2 in BOXES[:2])
    assert not changed[:, 85:].any()
    for x1, y1, x2, y2 in BOXES[:2].astype(int):
        changed[y1:y2, x1:x2] = False
    assert not changed.any()
    assert torch.equal(after['gt_bboxes'].tensor, before['gt_bboxes'].tensor)
    assert after['img'].dtype == np.uint8


def test_fractions_are_in_the_range():
    fractions = []
    for seed in range(40):
        white, black = (build(prob=1, fractions=(.2, .4), kinds=['block', 'bars', 'lower'])(results)['img']
                        for results in map(sample, (255, 0)) if random.seed(seed) is None)
        fractions += [1 - (inner(white, box) - inner(black, box)).mean() / 255 for box in BOXES[:2]]
    assert min(fractions) == pytest.approx(.2, abs=.03)
    assert max(fractions) == pytest.approx(.4, abs=.03)
    assert np.mean(fractions) == pytest.approx(.3, abs=.03)


def test_probability_is_of_each_box():
    covered = 0
    for seed in range(100):
        random.seed(seed)
        image = build(prob=.25, kinds=['lower'])(sample(255))['img']
        covered += sum(inner(image, box).min() < 255 for box in BOXES[:2])
    assert 30 <= covered <= 70  # of 200
    before = sample()
    assert build(prob=0)(before)['img'] is before['img']


def test_same_seed_same_picture():
    images = []
    for seed in (1, 1, 2):
        random.seed(seed)
        images.append(build(prob=1)(sample())['img'])
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


def test_image_of_the_sample_is_not_changed_in_place():
    """It may be in the cache of a mosaic."""
    results = sample()
    image, before = results['img'], results['img'].copy()
    build(prob=1)(results)
    assert np.array_equal(image, before)


def test_one_face_alone_gets_a_texture():
    results = sample(ignored=(False, True, True))
    before = results['img'].copy()
    assert not np.array_equal(build(prob=1, kinds=['face'])(results)['img'], before)


def test_samples_without_boxes():
    results = dict(sample(), gt_bboxes=HorizontalBoxes(torch.zeros(0, 4)), gt_ignore_flags=np.zeros(0, bool))
    before = results['img'].copy()
    assert np.array_equal(build(prob=1)(results)['img'], before)


@pytest.mark.parametrize('options, message', [
    (dict(prob=1.5), 'prob must be between 0 and 1, not 1.5'),
    (dict(fractions=(.5, .2)), 'the smallest and the largest fraction'),
    (dict(fractions=(0, 1.2)), 'between 0 and 1, not 1.2'),
    (dict(kinds=['masks']), "unknown kind of occluder 'masks'"),
    (dict(kinds='face'), "kinds must be a list of kinds, not 'face'"),
], ids=['prob', 'order', 'range', 'kind', 'text'])
def test_arguments_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


@pytest.mark.parametrize('name', ['yolo11_n_syncbn_fast_8xb16-250e_widerface', 'yolo11_n_syncbn_fast_8xb16-500e_coco'])
def test_in_the_pipeline_of_a_config(name, tmp_path):
    """Before the flip, as documented, in each training pipeline."""
    cfg = Config.fromfile(find_config(name))
    faces = [face(20, 10, 60, 60), face(85, 20, 30, 50)]
    arguments = write_wider_face(tmp_path, {f'e/{index}.jpg': faces for index in range(5)})
    pipeline = cfg.train_dataloader.dataset.pipeline
    flip = next(index for index, step in enumerate(pipeline) if 'Flip' in step.type)
    images = {}
    for prob in (0, 1):
        steps = [*pipeline[:flip], dict(type='mmseam.RandomOcclusion', prob=prob), *pipeline[flip:]]
        with DefaultScope.overwrite_default_scope('mmyolo'):
            dataset = DATASETS.build(dict(type='mmseam.WIDERFaceDataset', pipeline=steps, **arguments))
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002  (mmyolo's transforms use it)
        images[prob] = dataset[0]
    plain, covered = images[0], images[1]
    assert covered['inputs'].shape == plain['inputs'].shape
    assert covered['inputs'].dtype == torch.uint8
    assert len(covered['data_samples'].gt_instances) == len(plain['data_samples'].gt_instances) > 0
    assert not torch.equal(covered['inputs'], plain['inputs'])
