"""Ground truth in the official ``.mat`` files: read as by SciPy, and every defect named."""
import struct
import zlib

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from mmseam.evaluation.functional import GroundTruthFormatError, read_official_ground_truth
from mmseam.utils.wider_face_names import WIDER_FACE_ATTRIBUTES


def cells(*values):
    column = np.empty((len(values), 1), dtype=object)
    column[:, 0] = values
    return column


def write_official_files(folder, compressed=False, **changes):
    """Ground truth of two events; ``changes`` replace variables, those of the keep-lists by ``easy``, ``medium``, …"""
    labels = {f'{name}_label_list': cells(cells(np.zeros((2, 1), np.uint8), np.zeros((0, 1))), cells(np.ones((1, 1))))
              for name in WIDER_FACE_ATTRIBUTES}
    boxes = cells(cells(np.array([[1, 2, 3, 4], [-5, 6, 700, 80000]], np.int32), np.zeros((0, 4))),
                  cells(np.array([[.5, 1e9, 3, 4]])))
    content = dict(event_list=cells('0--Parade', '1--Grüße'), file_list=cells(cells('a', 'b'), cells('c')),
                   face_bbx_list=boxes, **labels)
    content.update({name: value for name, value in changes.items() if name in content})
    savemat(folder / 'wider_face_val.mat', content, do_compression=compressed)
    for name, kept in (('easy', []), ('medium', [[1]]), ('hard', [[2], [1]])):
        kept = changes.get(name, cells(cells(np.array(kept, np.uint8), []), cells(np.array([[1]], float))))
        savemat(folder / f'wider_{name}_val.mat', dict(gt_list=kept, other=dict(a=1)), do_compression=compressed)
    return folder


@pytest.mark.parametrize('compressed', [False, True])
def test_official_files_are_read(tmp_path, compressed):
    truth = read_official_ground_truth(write_official_files(tmp_path, compressed))
    assert truth.keys == ('0--Parade/a', '0--Parade/b', '1--Grüße/c') and truth.offsets.tolist() == [0, 2, 2, 3]
    assert truth.boxes.tolist() == [[1, 2, 3, 4], [-5, 6, 700, 80000], [.5, 1e9, 3, 4]]
    assert {name: mask.tolist() for name, mask in truth.subsets.items()} == dict(
        easy=[False, False, True], medium=[True, False, True], hard=[True, True, True])
    assert truth.attributes['pose'].tolist() == [0, 0, 1]


HEADER, BOMB = 124 * b' ' + b'\0\1IM', zlib.compress(bytes(2**25))
ONE_EVENT, ONE_BOX = cells(cells(np.ones((2, 1)), [])), np.array([[1., 2, 3, 4]])


@pytest.mark.parametrize('changes, message', [
    (dict(hard=cells(cells([3], []), cells([1]))), 'hard_val.mat, image 0--Parade/a: the keep-list has the faces 3…3'),
    (dict(hard=cells(cells([0], []), cells([1]))), 'hard_val.mat, image 0--Parade/a: the keep-list has the faces 0'),
    (dict(hard=cells(cells([1.5], []), cells([1]))), 'image 0--Parade/a: the keep-list has the faces 1.5'),
    (dict(hard=cells(cells([np.nan], []), cells([1]))), 'image 0--Parade/a: expected finite numbers'),
    (dict(easy=ONE_EVENT), 'easy_val.mat, gt_list: its events and images differ from those of file_list'),
    (dict(pose_label_list=ONE_EVENT), 'pose_label_list: its events and images differ from those of file_list'),
    (dict(pose_label_list=cells(cells([1], [1]), cells([1]))), 'image 0--Parade/a: 1 labels for 2 faces'),
    (dict(face_bbx_list=cells(cells(ONE_BOX.T, []), cells(ONE_BOX))), r'a: boxes of shape \(4, 1\), not \(n, 4\)'),
    (dict(face_bbx_list=cells(cells(ONE_BOX, []), cells(1e39 * ONE_BOX))), 'image 1--Grüße/c: expected finite numbers'),
    (dict(file_list=cells(cells('a', 'a'), cells('c'))), "lists image '0--Parade/a' twice"),
    (dict(file_list=cells(cells('a', 5), cells('c'))), 'do not contain the names'),
    (dict(file_list=cells(cells('a', 'b'))), '2 events, but lists of images for 1'),
    (dict(event_list=dict(a=1)), 'an array of class 2'),
    (dict(face_bbx_list=cells(cells(1j * ONE_BOX, []), cells(ONE_BOX))), 'an array of class 0'),
])
def test_ground_truth_that_does_not_agree_is_named(tmp_path, changes, message):
    write_official_files(tmp_path, **changes)
    with pytest.raises(GroundTruthFormatError, match=message) as error:
        read_official_ground_truth(tmp_path)
    assert str(error.value).startswith(f'{tmp_path}/wider_')


@pytest.mark.parametrize('content, message', [
    (b'', 'not a MATLAB 5 file'),
    (b'not a mat file' * 20, 'not a MATLAB 5 file'),
    (116 * b' ' + bytes(8) + b'\0\2IM', 'not a MATLAB 5 file .*save -v7'),
    (HEADER, "it has no 'event_list'"),
    (HEADER + struct.pack('<II', 15, 2000) + BOMB[:2000], 'damaged'),
    (HEADER + struct.pack('<II', 15, len(BOMB)) + BOMB, 'more than 16,777,216'),
    (HEADER + struct.pack('<II', 14, 2**31), 'longer than its parent'),
], ids=['empty', 'text', 'version 7.3', 'no variable', 'cut', 'bomb', 'beyond the end'])
def test_damaged_mat_file_is_named(tmp_path, content, message):
    with pytest.raises(FileNotFoundError, match='wider_face_val.mat'):
        read_official_ground_truth(tmp_path)
    (tmp_path / 'wider_face_val.mat').write_bytes(content)
    with pytest.raises(GroundTruthFormatError, match=f'{tmp_path}/wider_face_val.mat: .*{message}'):
        read_official_ground_truth(tmp_path)


def test_official_mat_files_are_read_as_by_scipy(test_data):
    folder = test_data / 'wider_face' / 'ground_truth'
    truth, expected = read_official_ground_truth(folder), loadmat(folder / 'wider_face_val.mat')

    def flat(lists):
        return np.concatenate([image[0].ravel() for event in lists[:, 0] for image in event])

    np.testing.assert_array_equal(truth.boxes.ravel(), flat(expected['face_bbx_list']))
    for name in WIDER_FACE_ATTRIBUTES:
        np.testing.assert_array_equal(truth.attributes[name], flat(expected[f'{name}_label_list']))
    first = np.repeat(truth.offsets[:-1], np.diff(truth.offsets))
    for name, number in (('easy', 7211), ('medium', 13319), ('hard', 31958)):
        kept = flat(loadmat(folder / f'wider_{name}_val.mat')['gt_list']).astype(int)
        assert truth.subsets[name].sum() == number
        np.testing.assert_array_equal(np.sort(kept), np.sort((np.arange(len(first)) - first + 1)[truth.subsets[name]]))
