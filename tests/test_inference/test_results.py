"""What a result says of itself, in words, numbers and pictures."""
import json
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from mmseam.apis import DetectionResult

BOXES = np.array([[10, 12, 40.25, 44], [60, 10, 90, 50], [12, 60, 30, 80.1]], np.float32)


def result(**changes) -> DetectionResult:
    values = dict(
        boxes=BOXES, scores=np.float32([.9, .6, .3]), labels=np.array([1, 0, 1]), classes=('cat', 'dog'),
        size=(100, 120), name='pets.jpg', speed=dict(forward=12.34567),
        pixels=np.full((100, 120, 3), 60, np.uint8))
    return DetectionResult(**{**values, **changes})


def empty(**changes) -> DetectionResult:
    return result(**changes)[3:]


def test_words():
    assert repr(result()) == 'DetectionResult(pets.jpg, 120x100: dog 2, cat 1 (best score 0.90))'
    assert repr(empty(name='clip.mp4', frame=7)) == 'DetectionResult(clip.mp4, frame 7, 120x100: nothing found)'


@pytest.mark.parametrize('which, names', [
    (0, ['dog']), (-1, ['dog']), (1, ['cat']), (slice(2), ['dog', 'cat']), ([2, 0], ['dog', 'dog']), (slice(3, 9), []),
    (np.argmax(BOXES[:, 0]), ['cat']), (torch.tensor(-3), ['dog']), (np.array([1]), ['cat']),
    (np.array([False, True, True]), ['cat', 'dog'])
], ids=str)
def test_choice(which, names):
    chosen = result()[which]
    assert chosen.class_names == names
    assert len(chosen) == len(names) == len(chosen.boxes) == len(chosen.labels)
    assert chosen.name == 'pets.jpg'


@pytest.mark.parametrize('which', [3, -4, np.int64(3)])
def test_a_detection_that_is_not_there_is_an_error(which):
    with pytest.raises(IndexError, match='no detection -?[34]: pets.jpg has 3'):
        result()[which]
    assert [one.class_names for one in result()] == [['dog'], ['cat'], ['dog']]  # and so an iteration ends


def test_filter_takes_the_threshold_in():
    assert result().filter(np.float32(.6)).class_names == ['dog', 'cat']
    assert len(result().filter(1)) == 0


def test_json_keeps_all_digits_and_no_more():
    content = json.loads(result().to_json())
    assert content == dict(
        image='pets.jpg', frame=None, height=100, width=120, speed_ms=dict(forward=12.346),
        detections=[
            dict(name='dog', label=1, score=.9, box=[10, 12, 40.25, 44]),
            dict(name='cat', label=0, score=.6, box=[60, 10, 90, 50]),
            dict(name='dog', label=1, score=.3, box=[12, 60, 30, 80.1])
        ])
    values = np.random.default_rng(0).uniform(0, 1000, (50, 4)).astype(np.float32)
    many = result(boxes=values, scores=values[:, 0], labels=np.zeros(50, int))
    np.testing.assert_array_equal(np.float32([found['box'] for found in many.to_dicts()]), values)


def test_the_picture_shows_each_box_and_leaves_the_image_alone():
    one = result()
    picture = one.plot()
    assert (one.image == 60).all()
    assert picture.shape == one.image.shape
    for left, top, right, bottom in BOXES.round().astype(int):
        for place in ((bottom, (left + right) // 2), ((top + bottom) // 2, left), ((top + bottom) // 2, right)):
            assert (picture[place] != 60).any()
    # Nothing below and between the boxes
    assert (picture[84:] == 60).all()
    assert (picture[:, 95:][60:] == 60).all()
    assert (empty().plot() == 60).all()


def test_classes_have_colors_of_their_own():
    same, other = (result(labels=np.array(labels))[:2].plot()[50, 75] for labels in ([0, 0, 0], [1, 1, 1]))
    assert np.abs(same.astype(int) - other.astype(int)).max() > 100


def test_labels_do_not_hide_other_boxes():
    """In a crowd of boxes, only the labels that have room are written: the picture inside the boxes stays."""
    left, top = (axis.ravel() for axis in np.meshgrid(np.arange(2, 300, 12), np.arange(2, 300, 12)))
    boxes = np.stack([left, top, left + 9, top + 9], 1).astype(np.float32)
    crowd = result(boxes=boxes, scores=np.linspace(.9, .3, len(boxes)).astype(np.float32),
                   labels=np.zeros(len(boxes), int), size=(304, 304), pixels=np.full((304, 304, 3), 60, np.uint8))
    picture = crowd.plot()
    hidden = [not (picture[y + 3:y + 7, x + 3:x + 7] == 60).all() for x, y in zip(left, top)]
    assert np.mean(hidden) < .1


@pytest.mark.parametrize('side', [8, 64, 3000])
def test_lines_grow_with_the_image(side):
    boxes = np.float32([[.2, .3, .8, .9]]) * side
    picture = result(boxes=boxes, scores=np.float32([.5]), labels=np.array([0]), size=(side, side),
                     pixels=np.full((side, side, 3), 60, np.uint8)).plot()
    middle = round(.6 * side)
    column = (picture[middle, :round(.5 * side)] != 60).any(axis=1)
    assert 1 <= column.sum() <= max(2, side / 250)


def test_pictures_are_saved_in_the_format_of_the_suffix(tmp_path):
    path = result().save(tmp_path / 'new' / 'drawn.png')
    np.testing.assert_array_equal(cv2.imread(str(path)), result().plot())
    with pytest.raises(ValueError, match='OpenCV cannot write'):
        result().save(tmp_path / 'drawn.txt')
    with pytest.raises(ValueError, match='120 x 100 pixels in color as .pgm; use .png'):
        result().save(tmp_path / 'drawn.pgm')  # OpenCV only prints a message
    assert [file.name for file in tmp_path.rglob('*') if file.is_file()] == ['drawn.png']


def test_pixels_are_read_again_from_the_file(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), result().pixels)
    light = result(path=tmp_path / 'a.png').without_pixels()
    np.testing.assert_array_equal(light.image, result().pixels)
    np.testing.assert_array_equal(light.plot(), result().plot())
    frame = result(path=tmp_path / 'clip.mp4', frame=3).without_pixels()
    with pytest.raises(ValueError, match=r'were not kept; draw while iterating over \.stream\(\)'):
        frame.plot()


def test_names_by_label():
    assert result().names == {0: 'cat', 1: 'dog'}
    assert [result().names[label] for label in result().labels] == result().class_names == ['dog', 'cat', 'dog']


def test_crops_are_the_pixels_of_the_boxes():
    image = np.random.default_rng(0).integers(0, 256, (100, 120, 3), dtype=np.uint8)
    boxes = np.float32([[10.2, 12.7, 40.25, 44], [-3, -5, 4.5, 2.5], [119.5, 99.9, 119.6, 100]])
    crops = result(boxes=boxes, pixels=image).crop()
    for crop, (x1, y1, x2, y2) in zip(crops, [(10, 12, 41, 44), (0, 0, 5, 3), (119, 99, 120, 100)]):
        np.testing.assert_array_equal(crop, image[y1:y2, x1:x2])
    crops[0][:] = 0
    assert image[20, 20].any()
    assert empty().crop() == []


def test_label_file_is_that_of_yolo(tmp_path):
    path = result().save_txt(tmp_path / 'new' / 'pets.txt')
    rows = np.loadtxt(path)
    np.testing.assert_array_equal(rows[:, 0], [1, 0, 1])
    centers, sizes = rows[:, 1:3] * [120, 100], rows[:, 3:] * [120, 100]
    np.testing.assert_allclose(np.concatenate([centers - sizes / 2, centers + sizes / 2], 1), BOXES, atol=1e-3)
    assert result()[0].save_txt(path, save_conf=True).read_text() == '1 0.209375 0.280000 0.252083 0.320000 0.900000\n'
    assert empty().save_txt(path).read_text() == ''


def test_table():
    pandas = pytest.importorskip('pandas')
    table = result().to_df()
    assert isinstance(table, pandas.DataFrame) and list(table.name) == ['dog', 'cat', 'dog']
    np.testing.assert_array_equal(table[['x1', 'y1', 'x2', 'y2']], BOXES)
    assert len(empty().to_df()) == 0 and list(empty().to_df().columns) == list(table.columns)


def test_supervision(monkeypatch):
    """Its constructor gets the arguments that it documents; the package itself is optional."""
    class Detections:
        def __init__(self, xyxy, confidence, class_id, data):
            assert xyxy.shape == (len(class_id), 4) and len(data['class_name']) == len(confidence) == len(class_id)
            self.data = data

    monkeypatch.setitem(sys.modules, 'supervision', SimpleNamespace(Detections=Detections))
    assert result().to_supervision().data['class_name'].tolist() == ['dog', 'cat', 'dog']
    assert len(empty().to_supervision().data['class_name']) == 0


@pytest.mark.parametrize('method, package', [('to_df', 'pandas'), ('to_supervision', 'supervision')])
def test_missing_packages_are_named(monkeypatch, method, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=f'{package} is not installed; it comes with: pip install {package}'):
        getattr(result(), method)()
