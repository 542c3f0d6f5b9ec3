"""A training or a test on nothing is stopped, and what there is is said in a line."""
import json
from types import SimpleNamespace

import pytest
from coco_files import coco_box, write_coco
from mmengine.config import Config
from mmengine.evaluator import DumpResults
from mmengine.registry import DefaultScope
from mmengine.runner import BaseLoop
from wider_face_files import face, write_wider_face

from mmseam.datasets.contents import read_categories
from mmseam.engine import DataCheckHook
from mmseam.engine.hooks.data_check_hook import check_dataset
from mmseam.evaluation import WIDERFaceMetric
from mmseam.registry import DATASETS
from mmseam.utils.config import ConfigError

CATS = ('cat', 'dog', 'bird')
PETS = {'a.jpg': [coco_box((10, 10, 20, 20), 1), coco_box((40, 10, 20, 20), 2)], 'b.jpg': [],
        'c.jpg': [coco_box((10, 10, 20, 20), 1), dict(coco_box((40, 10, 20, 20), 1), iscrowd=1)]}


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmyolo'):
        return DATASETS.build(cfg)


@pytest.fixture
def pets(tmp_path):
    """Config of a dataset of three images and three boxes that count, and what changes it."""
    write_coco(tmp_path, PETS, CATS, with_images=False)

    def config(*classes, **changes):
        return {**dict(type='mmseam.YOLOCocoDataset', data_root=str(tmp_path), ann_file='train.json', pipeline=[],
                       data_prefix=dict(img='images/'), metainfo=dict(classes=classes or CATS)), **changes}

    return config


@pytest.mark.parametrize('classes, changes, words', [
    (CATS, {}, '3 images, 3 boxes of 2 of 3 classes'),
    (('cat', 'dog'), {}, '3 images, 3 boxes of 2 classes'),
    (('dog', ), {}, '3 images, 1 boxes of 1 class'),
    (CATS, dict(filter_cfg=dict(filter_empty_gt=True)), '2 images, 3 boxes of 2 of 3 classes'),
], ids=str)
def test_what_there_is(pets, classes, changes, words):
    assert str(check_dataset('train', build(pets(*classes, **changes)))) == words


def test_sets_inside_wrappers_are_added_up(pets):
    wrapped = dict(type='ConcatDataset', datasets=[pets(), dict(type='RepeatDataset', times=5, dataset=pets())])
    assert str(check_dataset('train', build(wrapped))) == '6 images, 6 boxes of 2 of 3 classes'


@pytest.mark.parametrize('classes, message', [
    (('cat', 'dogs'), r"train set: .*train.json has no class 'dogs' \(did you mean 'dog'\?\); set metainfo.classes"),
    (('person', 'tree'), "has no class 'person', 'tree'; it has 'cat', 'dog', 'bird'; set metainfo.classes"),
    (('a', 'b', 'c', 'd', 'e'), "has no class 'a', 'b', 'c' and 2 more; it has"),
    (('dog', 'cat'), "metainfo.classes is 'dog', 'cat', but .*train.json has 'cat', 'dog'; MMDetection numbers"),
], ids=str)
@pytest.mark.parametrize('wrapped', [False, True], ids=['plain', 'wrapped'])
def test_classes_that_the_file_does_not_have(pets, classes, message, wrapped):
    config = pets(*classes)
    if wrapped:
        config = dict(type='ConcatDataset', datasets=[pets(), dict(type='RepeatDataset', times=2, dataset=config)])
        config['ignore_keys'] = 'classes'
    with pytest.raises(ConfigError, match=message):
        check_dataset('train', build(config))


def test_no_box_is_an_error(pets):
    with pytest.raises(ConfigError, match='no valid boxes in 3 images in .*train.json; check ann_file, metainfo'):
        check_dataset('train', build(pets('bird')))
    host = pets(type='mmyolo.YOLOv5CocoDataset', filter_cfg=dict(min_size=500), serialize_data=False)
    with pytest.raises(ConfigError, match='train set: no images in .*train.json'):
        check_dataset('train', build(host))
    assert check_dataset('train', ['no dataset of MMEngine']) is None


@pytest.mark.parametrize('kind', ['coco', 'wider'])
def test_everything_filtered_away_is_an_error(pets, tmp_path, kind):
    config = pets() if kind == 'coco' else dict(
        type='mmseam.WIDERFaceDataset', pipeline=[], **write_wider_face(tmp_path, {'a/1.jpg': [face(1, 1, 20, 20)]}))
    with pytest.raises(ConfigError, match=r'(train.json|bbx_gt.txt): no images are left; .*filter_cfg'):
        build(dict(config, filter_cfg=dict(min_size=500)))


def test_an_evaluation_needs_boxes_and_writing_results_none(pets):
    dataset = build(pets('bird', test_mode=True))
    for metrics in ([SimpleNamespace()], [SimpleNamespace(format_only=True), SimpleNamespace()]):
        with pytest.raises(ConfigError, match='test set: no valid boxes'):
            check_dataset('test', dataset, metrics)
    written = [SimpleNamespace(format_only=True), DumpResults('results.pkl')]
    assert check_dataset('test', dataset, written).num_images == 3


def test_images_that_a_metric_cannot_tell_apart(tmp_path):
    images = {'x/same/1.jpg': [face(1, 1, 20, 20)], 'y/same/1.jpg': [face(1, 1, 20, 20)]}
    dataset = build(dict(type='mmseam.WIDERFaceDataset', test_mode=True, pipeline=[],
                         **write_wider_face(tmp_path, images)))
    assert str(check_dataset('val', dataset, [WIDERFaceMetric()])) == '2 images, 2 boxes of 1 class'
    with pytest.raises(ValueError, match='are the same for'):
        check_dataset('val', dataset, [WIDERFaceMetric(submission_dir=str(tmp_path / 'out'))])


def test_the_loops_that_run_are_checked(pets):
    class Loop(BaseLoop):
        run = None

    def loop(*classes):
        return Loop(None, SimpleNamespace(dataset=build(pets(*classes))))

    lines = []
    runner = SimpleNamespace(_train_loop=loop(), _val_loop=None, _test_loop=dict(type='TestLoop'),
                             logger=SimpleNamespace(info=lambda text, **_: lines.append(text)), cfg=Config())
    Loop.__abstractmethods__ = frozenset()
    DataCheckHook().before_run(runner)
    assert lines == ['train: 3 images, 3 boxes of 2 of 3 classes']
    runner._val_loop = loop('bird')
    with pytest.raises(ConfigError, match='val set: no valid boxes'):
        DataCheckHook().before_run(runner)


@pytest.mark.parametrize('text, expected', [
    ('{"categories": [{"id": 3, "name": "a"}, {"id": 1, "name": "b"}], "images": []}', {3: 'a', 1: 'b'}),
    ('{"images": [], "categories" :\n [ {"name": "ä", "id": 3} ]}', {3: 'ä'}),
    ('{"info": {"categories": 2, "note": "\\"categories\\": [1]"}, "categories": [{"id": 1, "name": "c"}]}', {1: 'c'}),
    ('{"categories": [{"id": 1, "name": "cut', None),
    ('{"images": []}', None),
    ('', None),
])
def test_categories_are_found_without_reading_all(tmp_path, text, expected):
    (tmp_path / 'a.json').write_text(text, encoding='utf-8')
    assert read_categories(str(tmp_path / 'a.json')) == expected


def test_long_lists_of_categories(tmp_path):
    categories = [dict(id=i, name=f'class {i}') for i in range(20_000)]
    (tmp_path / 'a.json').write_text(json.dumps(dict(categories=categories, images=[])))
    assert read_categories(str(tmp_path / 'a.json')) == {one['id']: one['name'] for one in categories}
    assert read_categories(str(tmp_path / 'missing.json')) is None
