"""Ultralytics' data files and label files: what they mean, and the error of each mistake."""
import json
import os
import time

import pytest
from yolo_files import write_yolo

from mmseam.datasets.yolo_txt import YOLODataError, convert_split, read_data_yaml

IMAGES = {
    'train/a.jpg': ['0 0.5 0.5 0.5 0.25', '1 0.05 0.05 0.2 0.2', '0 0.5 0.5 0.5 0.25'],
    'train/b.png': ['1 0.1 0.1 0.9 0.1 0.9 0.6'],
    'train/none.jpg': None,
    'val/c.jpg': ['0 0.5 0.5 0.1 0', ' 1.0 0.5 0.5 1e-1 .1  '],
}


@pytest.fixture()
def data_file(tmp_path):
    return write_yolo(tmp_path / 'pets', IMAGES, ('cat', 'dog'))


def convert(path, split='train'):
    file = convert_split(read_data_yaml(path), split)
    return file, json.loads(file.read_text())


def test_conversion(data_file):
    file, coco = convert(data_file)
    assert file == data_file.parent / 'mmseam_train.json'
    assert coco['categories'] == [dict(id=1, name='cat'), dict(id=2, name='dog')]
    assert [image['file_name'] for image in coco['images']] == [
        f'images/train/{name}' for name in ('a.jpg', 'b.png', 'none.jpg')]
    assert {(image['width'], image['height']) for image in coco['images']} == {(120, 80)}
    assert [(a['image_id'], a['category_id'], a['bbox']) for a in coco['annotations']] == [
        (0, 1, [30, 30, 60, 20]), (0, 2, [0, 0, 18, 12]), (1, 2, [12, 8, 96, 40])]
    outline = coco['annotations'][2]
    assert outline['segmentation'] == [[12, 8, 108, 8, 108, 48]] and outline['area'] == pytest.approx(96 * 40 / 2)
    assert 'segmentation' not in coco['annotations'][0]
    assert [a['bbox'] for a in convert(data_file, 'val')[1]['annotations']] == [[54, 36, 12, 8]]


def test_it_is_made_again_only_if_something_has_changed(data_file):
    file, _ = convert(data_file)
    first = file.stat().st_mtime_ns
    assert convert(data_file)[0].stat().st_mtime_ns == first
    label = data_file.parent / 'labels/train/none.txt'
    label.write_text('0 .5 .5 .5 .5\n')
    assert len(convert(data_file)[1]['annotations']) == 4
    label.write_text('1 .5 .5 .5 .5\n')
    os.utime(label, (time.time() + 9, ) * 2)
    assert convert(data_file)[1]['annotations'][-1]['category_id'] == 2
    data_file.write_text(data_file.read_text().replace('dog', 'hound'))
    assert convert(data_file)[1]['categories'][1]['name'] == 'hound'


def test_files_of_others_are_not_overwritten(data_file):
    (data_file.parent / 'mmseam_train.json').write_text('{}')
    with pytest.raises(YOLODataError, match='mmseam_train.json exists and was not made by mmseam'):
        convert(data_file)


@pytest.mark.parametrize('names', ['names: [cat, dog]', 'names: {1: dog, 0: cat}', 'nc: 2\nnames: ["cat", dog]'])
def test_ways_to_name_folders_and_classes(data_file, tmp_path, monkeypatch, names):
    """Folder relative to the working directory, a list of images, and two sources."""
    listed = data_file.parent / 'list.txt'
    listed.write_text(f'./images/train/a.jpg\n\nimages/train/b.png\n{data_file.parent}/images/val/c.jpg\n')
    other = tmp_path / 'other' / 'x.yaml'
    other.parent.mkdir()
    other.write_text(f'path: pets\ntrain: [list.txt, images/val]\nval: images/val\n{names}\ndownload: |\n  import os\n')
    monkeypatch.chdir(tmp_path)
    data = read_data_yaml('other/x.yaml')
    assert (data.root, data.names) == (data_file.parent, ('cat', 'dog'))
    assert [image['file_name'][-5:] for image in convert('other/x.yaml')[1]['images']] == ['a.jpg', 'b.png', 'c.jpg']


def test_keypoints_are_left_out(tmp_path):
    keypoints = ' 0.5 0.5 2' * 5
    path = write_yolo(tmp_path, {'train/a.jpg': [f'0 0.5 0.5 0.5 0.5{keypoints}'], 'val/a.jpg': []},
                      more='kpt_shape: [5, 3]\n')
    assert [(a['bbox'], 'segmentation' in a) for a in convert(path)[1]['annotations']] == [([30, 20, 60, 40], False)]


def test_a_folder_that_cannot_be_written(data_file, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    from mmseam.datasets.yolo_txt import yolo_to_coco
    from mmseam.utils.atomic_write import WriteError
    write = yolo_to_coco._write

    def refuse(path, text):
        if path.parent == data_file.parent:
            raise WriteError('read-only')
        return write(path, text)

    monkeypatch.setattr(yolo_to_coco, '_write', refuse)
    file, coco = convert(data_file)
    assert file.parent == tmp_path / 'cache' / 'mmseam' and len(coco['images']) == 3
    assert convert(data_file)[0] == file


@pytest.mark.parametrize('line, message', [
    ('2 .5 .5 .1 .1', r'class 2, but .*data.yaml names 2 classes, from 0 to 1'),
    ('-1 .5 .5 .1 .1', "the class must be a whole number, found '-1'"),
    ('9' * 5000 + ' .5 .5 .1 .1', 'the class must be a whole number, found'),
    ('0 60 40 20 20', "coordinates must be fractions of width and height, from 0 to 1, found '0 60 40 20 20'"),
    ('0 nan .5 .1 .1', 'coordinates must be fractions'),
    ('0 1_0 .5 .1 .1', 'expected numbers'),
    ('0 .5 .5 .1 x', 'expected numbers'),
    ('0 .5 .5 .1', 'expected a class and four numbers of a box, or the points of an outline, found 4 values'),
    ('0 .5 .5 .1 .1 .2', '.*found 6 values'),
], ids=['class', 'negative', 'long', 'pixels', 'nan', 'underscore', 'text', 'short', 'six'])
def test_bad_labels_are_named_with_their_line(data_file, line, message):
    (data_file.parent / 'labels/train/a.txt').write_text(f'0 .5 .5 .1 .1\n\n{line}\n')
    with pytest.raises(YOLODataError, match=f'labels/train/a.txt, line 3: {message}'):
        convert(data_file)


@pytest.mark.parametrize('text, message', [
    ('train: images/train\nnames: [a]\n', "there is no 'val'"),
    ('train: images/train\nval: images/vall\nnames: [a]\n', r'line 2: val is neither a folder nor a text file .*vall'),
    ('path: nowhere\ntrain: x\nval: y\nnames: [a]\n', 'line 1: there is no folder nowhere, neither beside'),
    ('train: images/train\nval: images/val\nnc: 3\nnames: [a, b]\n', "line 3: nc is '3', but names has 2 classes"),
    ('train: images/train\nval: images/val\nnames:\n  0: a\n  2: b\n', 'line 4: names must be numbered from 0 to 1'),
    ('train: images/train\nval: images/val\nnames: [a, a]\n', "line 3: two classes are named 'a'"),
    ('train: images/train\nval: images/val\nnames: []\n', 'line 3: names is empty'),
    ('train: images/train\nval: images/val\nnames: [[a]]\n', 'line 3: a class name must be a string'),
    ('train: images/train\nval:\nnames: [a]\n', 'line 2: val must be a string'),
    ('train: [', 'line 1: not YAML'),
    ('- a\n', 'line 1: expected keys and values'),
    ('', 'expected keys and values'),
    ('[' * 200000, 'not YAML'),
    ('a' * 300000, 'more than 262,144 bytes'),
    ('x: !!python/object/apply:os.system ["touch hacked"]\n', "there is no 'train'"),
    ('train: !!python/object/apply:os.system ["touch hacked"]\nval: x\nnames: [a]\n', 'line 1: train is neither'),
    ('train: ' + 5000 * 'a' + '\nval: x\nnames: [a]\n', 'line 1: train is neither a folder .*aaa…'),
    ('path: ' + 5000 * 'a' + '\ntrain: x\nval: y\nnames: [a]\n', 'line 1: there is no folder aaa'),
    ('train: images/train\nval: images/val\nnames: ["\\uD800"]\n', 'line 3: a class name contains a character that'),
], ids=map(str, range(19)))
def test_bad_data_files_are_named_with_their_line(data_file, text, message, monkeypatch):
    monkeypatch.chdir(data_file.parent)
    data_file.write_text(text)
    with pytest.raises(YOLODataError, match=f'data.yaml(, |: ){message}'):
        read_data_yaml(data_file)
    assert not (data_file.parent / 'hacked').exists()


@pytest.mark.parametrize('line, message', [
    ('images/train/zz.jpg', "line 2: there is no image 'images/train/zz.jpg'"), ('a.txt', 'line 2: expected an image'),
    ('/dev/zero', 'line 2: expected an image'), ('\0.jpg', 'line 2: expected an image'),
    (5000 * 'a' + '.jpg', 'line 2: there is no image')],
    ids=['missing', 'suffix', 'device', 'zero byte', 'long'])
def test_bad_lists_are_named_with_their_line(data_file, line, message):
    (data_file.parent / 'list.txt').write_text(f'images/train/a.jpg\n{line}\n')
    data_file.write_text('train: list.txt\nval: images/val\nnames: [a, b]\n')
    with pytest.raises(YOLODataError, match=f'list.txt, {message}'):
        convert(data_file)


def test_missing_labels_and_images(data_file, tmp_path):
    (data_file.parent / 'labels').rename(tmp_path / 'elsewhere')
    with pytest.raises(YOLODataError, match=r'no image of train has labels; those of .*/images/train/a.jpg are '
                                            r'expected in .*/labels/train/a.txt'):
        convert(data_file)
    (data_file.parent / 'images' / 'val' / 'c.jpg').unlink()
    with pytest.raises(YOLODataError, match='val has no images'):
        convert(data_file, 'val')


def test_links_in_a_circle(data_file):
    (data_file.parent / 'images/train/loop').symlink_to(data_file.parent / 'images/train')
    assert len(convert(data_file)[1]['images']) == 3


def test_unreadable_images_are_left_out(data_file):
    (data_file.parent / 'images/train/b.png').write_bytes(b'no image')
    coco = convert(data_file)[1]
    assert [image['id'] for image in coco['images']] == [0, 2]
    assert {annotation['image_id'] for annotation in coco['annotations']} == {0}
