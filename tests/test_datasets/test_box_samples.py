"""Images and boxes from annotation files."""
import json

import numpy as np
import pytest
from coco_files import coco_box, write_coco
from wider_face_files import face, write_wider_face

from mmseam.datasets.occlusion import load_samples


def test_coco(tmp_path):
    path = write_coco(tmp_path, {
        'b.jpg': [coco_box((1, 2.5, 30, 40)), dict(coco_box((5, 6, 7, 8)), iscrowd=1),
                  coco_box((5, 6, 7, 8), ignore=1)],
        'a.jpg': [],
        'c.jpg': [coco_box((0, 0, 0, 9)), coco_box((1, 1, 2, 2), category=2)],
    }, classes=['face', 'hand'])
    samples = load_samples(path, tmp_path / 'images')
    assert [sample.path.name for sample in samples] == ['b.jpg', 'a.jpg', 'c.jpg']
    assert samples[0].boxes.tolist() == [[1, 2.5, 31, 42.5], [5, 6, 12, 14], [5, 6, 12, 14]]
    assert samples[0].ignore.tolist() == [False, True, True]
    assert samples[1].boxes.shape == (0, 4)
    assert samples[2].ignore.tolist() == [True, False]
    hands = load_samples(path, tmp_path / 'images', classes=['hand'])
    assert [len(sample.boxes) for sample in hands] == [0, 0, 1]
    with pytest.raises(ValueError, match='train.json: no category is called nose; there are face, hand'):
        load_samples(path, tmp_path / 'images', classes=['nose'])


def test_wider_face(tmp_path):
    write_wider_face(tmp_path, {'e/a.jpg': [face(10, 20, 30, 40), face(1, 2, 3, 4, invalid=1), face(5, 5, 0, 5)],
                                'e/b.jpg': []})
    ann_file = tmp_path / 'wider_face_split' / 'wider_face_train_bbx_gt.txt'
    images = tmp_path / 'WIDER_train' / 'images'
    samples = load_samples(ann_file, images)
    assert samples[0].boxes.tolist()[0] == [10, 20, 40, 60]
    assert samples[0].ignore.tolist() == [False, True, True]
    assert samples[1].boxes.shape == (0, 4)
    (images / 'e' / 'b.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of the 2 images of .*train_bbx_gt.txt are missing: .*b.jpg; '):
        load_samples(ann_file, images)
    assert [sample.path.name for sample in load_samples(ann_file, images, missing='skip')] == ['a.jpg']
    with pytest.raises(FileNotFoundError, match='2 of the 2 images'):
        load_samples(ann_file, tmp_path, missing='skip')


@pytest.mark.parametrize('change, message', [
    (dict(images=1), 'expected a dict with the lists images, annotations, categories'),
    (dict(images=[dict(id=1, file_name='../a.jpg')]), 'image 0: expected "id" and a "file_name" below the image'),
    (dict(images=[dict(id=1, file_name='a'), dict(id=1, file_name='b')]), 'image 1: a second image has the id 1'),
    (dict(images=[], annotations=[]), 'there is no image'),
    (dict(annotations=[7]), 'annotation 0: expected a dict, found 7'),
    (dict(annotations=[dict(image_id=5, bbox=[1, 2, 3, 4])]), 'annotation 0: there is no image with the id 5'),
    (dict(annotations=[dict(image_id=[], bbox=[1, 2, 3, 4])]), r'annotation 0: there is no image with the id \[\]'),
    (dict(annotations=[dict(image_id=0, bbox=[1, 2, 3, float('nan')])]), 'annotation 0: expected four finite numbers'),
    (dict(annotations=[dict(image_id=0, bbox=[1, 2, 3])]), 'annotation 0: expected four finite numbers'),
], ids=lambda value: value if isinstance(value, str) else '-'.join(value))
def test_malformed_file_is_named_with_its_entry(change, message, tmp_path):
    path = write_coco(tmp_path, {'a.jpg': [coco_box((1, 2, 3, 4))]})
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=f'train.json: {message}'):
        load_samples(path, tmp_path / 'images')


def test_category_without_a_name(tmp_path):
    path = write_coco(tmp_path, {'a.jpg': [coco_box((1, 2, 3, 4))]})
    path.write_text(json.dumps({**json.loads(path.read_text()), 'categories': [7, dict(id=1), dict(id=1, name=[])]}))
    with pytest.raises(ValueError, match='no category is called face; there are '):
        load_samples(path, tmp_path / 'images', ['face'])


@pytest.mark.parametrize('text', ['', '[1, 2', '[' * 100_000], ids=['empty', 'cut', 'deep'])
def test_file_that_is_no_json(text, tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(text)
    with pytest.raises(ValueError, match='a.json: '):
        load_samples(path, tmp_path)


def test_boxes_are_the_annotated_ones(test_data):
    root = test_data / 'masked_crowds'
    samples = load_samples(root / 'test.json', root / 'images')
    assert (len(samples), sum(len(sample.boxes) for sample in samples)) == (160, 949)
    expected = sum(item['area'] for item in json.loads((root / 'test.json').read_text())['annotations'])
    boxes = np.concatenate([sample.boxes for sample in samples])
    assert (boxes[:, 2:] - boxes[:, :2]).prod(1).sum() == expected
