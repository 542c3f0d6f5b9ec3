"""Reader of the official annotation files."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import loadmat
from wider_face_files import annotation_text, face

from mmseam.datasets import WIDERFaceFormatError, read_wider_face_annotations

TWO_FACES = '0--Parade/a.jpg\n2\n1 2 3 4 0 1 0 0 2 1 \n10 20 30 40 2 0 1 1 0 0 \n'


def write(tmp_path, text):
    path = tmp_path / 'wider_face_val_bbx_gt.txt'
    path.write_bytes(text.encode())
    return path


def test_arrays_of_a_small_file(tmp_path):
    text = TWO_FACES + '1--Handshaking/b c.JPG\n1\n5 6 7 8 0 0 0 0 1 0\n'
    annotations = read_wider_face_annotations(write(tmp_path, text))
    assert annotations.file_names == ['0--Parade/a.jpg', '1--Handshaking/b c.JPG']
    assert annotations.offsets.tolist() == [0, 2, 3]
    assert annotations.boxes.tolist() == [[1, 2, 3, 4], [10, 20, 30, 40], [5, 6, 7, 8]]
    assert annotations.attributes.tolist() == [[0, 1, 0, 0, 2, 1], [2, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 0]]
    assert annotations.boxes[annotations.faces(1)].tolist() == [[5, 6, 7, 8]]


@pytest.mark.parametrize('change', [
    lambda text: text.replace('\n', '\r\n'),
    lambda text: text.replace('\n', '  \t\n'),
    lambda text: text + '\n\n  \n',
    lambda text: text.rstrip(),
    lambda text: '\ufeff' + text,
], ids=['crlf', 'blanks at line ends', 'empty lines at the end', 'no last line end', 'byte order mark'])
def test_harmless_differences_change_nothing(tmp_path, change):
    text = TWO_FACES + 'e/none.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \n' + TWO_FACES.replace('a.jpg', 'b.jpg')
    annotations = read_wider_face_annotations(write(tmp_path, change(text)))
    assert annotations.file_names == ['0--Parade/a.jpg', 'e/none.jpg', '0--Parade/b.jpg']
    assert annotations.offsets.tolist() == [0, 2, 2, 4]
    assert annotations.attributes[:2].tolist() == annotations.attributes[2:].tolist()


@pytest.mark.parametrize('zeros', ['0 0 0 0 0 0 0 0 0 0 \n', ''], ids=['with zeros', 'without zeros'])
@pytest.mark.parametrize('rest', [TWO_FACES, ''], ids=['image follows', 'end of file'])
def test_image_without_faces(tmp_path, zeros, rest):
    annotations = read_wider_face_annotations(write(tmp_path, 'e/none.jpg\n0\n' + zeros + rest))
    assert annotations.offsets.tolist() == ([0, 0, 2] if rest else [0, 0])
    assert annotations.boxes.shape == (2 if rest else 0, 4)
    assert annotations.attributes.shape == (2 if rest else 0, 6)


@pytest.mark.parametrize(('text', 'line', 'expected', 'found'), [
    ('', 1, 'file name', 'empty file'),
    ('2\n1 2 3 4 0 0 0 0 0 0\n', 1, 'file name', "'2'"),
    ('a.jpg\n', 2, 'number of faces of a.jpg', 'end of the file'),
    ('a.jpg\nmany\n', 2, 'number of faces of a.jpg', "'many'"),
    ('a.jpg\n-1\n', 2, 'number of faces', "'-1'"),
    ('a.jpg\nb.jpg\n0\n', 2, 'number of faces of a.jpg', "'b.jpg'"),
    ('a.jpg\n2\n1 2 3 4 0 0 0 0 0 0\n', 4, 'face 2 of 2 of a.jpg', 'end of the file'),
    ('a.jpg\n2\n1 2 3 4 0 0 0 0 0 0\nb.jpg\n0\n', 4, 'face 2 of 2 of a.jpg', "'b.jpg'"),
    ('a.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n5 6 7 8 0 0 0 0 0 0\n', 4, 'file name', 'does the count of the image above'),
    ('a.jpg\n0\n5 6 7 8 0 0 0 0 0 0\n', 3, 'file name', "'5 6 7 8 0 0 0 0 0 0'"),
    ('a.jpg\n1\n1 2 3 4 0 0 0 0 0\n', 3, '10 numbers', '9 fields'),
    ('a.jpg\n1\n1 2 3 4 0 0 0 0 0 0 0\n', 3, '10 numbers', '11 fields'),
    ('a.jpg\n1\n1 2 x 4 0 0 0 0 0 0\n', 3, '10 numbers', "'1 2 x 4"),
    ('a.jpg\n1\n1 2 nan 4 0 0 0 0 0 0\n', 3, 'finite numbers', 'nan'),
    ('a.jpg\n1\n1 2 3 4 0 0 0 0 0.5 0\n', 3, 'whole numbers', '0.5'),
    ('a.jpg\n1\n1 2 3 4 0 0 0 0 -1 0\n', 3, 'whole numbers', '-1'),
    ('a.jpg\n1\n1 2 1e39 4 0 0 0 0 0 0\n', 3, 'finite numbers x y w h below 16,777,216', '1e39'),
    ('a.jpg\n1\n1 2 1_0 4 0 0 0 0 0 0\n', 3, '10 numbers', '1_0'),
    ('a.jpg\n1\n1 2 \u0661 4 0 0 0 0 0 0\n', 3, '10 numbers', '1 2 '),
    ('a.jpg\n' + 5000 * '9' + '\n', 2, 'number of faces of a.jpg', "'99"),
    ('../a.jpg\n0\n', 1, 'a file name below the image folder', "'../a.jpg'"),
    ('/e/a.jpg\n0\n', 1, 'a file name below the image folder', "'/e/a.jpg'"),
    ('e\\..\\..\\a.jpg\n0\n', 1, 'a file name below the image folder', 'a.jpg'),
    ('e/\0.jpg\n0\n', 1, 'a file name below the image folder', '.jpg'),
    (TWO_FACES + TWO_FACES, 5, 'every image once', 'a second time'),
])
def test_bad_file_is_refused_with_its_line(tmp_path, text, line, expected, found):
    path = write(tmp_path, text)
    with pytest.raises(WIDERFaceFormatError) as error:
        read_wider_face_annotations(path)
    message = str(error.value)
    assert message.startswith(f'{path}, line {line}: expected ')
    assert expected in message.split(', found ')[0]
    assert found in message.split(', found ')[1]


def test_file_that_is_no_text(tmp_path):
    path = tmp_path / 'wider_face_val_bbx_gt.txt'
    path.write_bytes(b'a.jpg\n0\n\xff\xd8\xff')
    with pytest.raises(WIDERFaceFormatError, match='line 3: expected UTF-8 text, found the byte 0xff'):
        read_wider_face_annotations(path)


@given(st.lists(st.lists(st.tuples(*[st.integers(-5, 2000)] * 4, *[st.integers(0, 2)] * 2), max_size=4), min_size=1))
def test_what_was_written_is_read(tmp_path_factory, images):
    faces = {f'e/{i}.jpg': [face(*row) for row in rows] for i, rows in enumerate(images)}
    path = write(tmp_path_factory.mktemp('split'), annotation_text(faces))
    annotations = read_wider_face_annotations(path)
    assert annotations.file_names == list(faces)
    for i, rows in enumerate(faces.values()):
        where = annotations.faces(i)
        read = np.hstack([annotations.boxes[where], annotations.attributes[where]]).astype(int).tolist()
        assert read == rows


def test_official_val_split_equals_official_ground_truth(test_data):
    """The ``.mat`` files of the evaluation tools hold the same boxes in another format."""
    folder = test_data / 'wider_face'
    annotations = read_wider_face_annotations(folder / 'wider_face_split' / 'wider_face_val_bbx_gt.txt')
    assert (len(annotations), len(annotations.boxes)) == (3226, 39708)
    assert int((annotations.boxes[:, 2:] <= 0).any(axis=1).sum()) == 11
    assert annotations.attributes.max(axis=0).tolist() == [2, 1, 1, 1, 2, 1]

    truth = loadmat(folder / 'ground_truth' / 'wider_face_val.mat')
    boxes = {}
    for event, files, boxes_of_event in zip(truth['event_list'], truth['file_list'], truth['face_bbx_list']):
        for file, boxes_of_image in zip(files[0], boxes_of_event[0]):
            boxes[f'{event[0][0]}/{file[0][0]}.jpg'] = boxes_of_image[0]
    assert set(boxes) == set(annotations.file_names)
    for i, name in enumerate(annotations.file_names):
        np.testing.assert_array_equal(annotations.boxes[annotations.faces(i)], boxes[name], err_msg=name)
