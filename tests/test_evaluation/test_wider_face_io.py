"""Readers of detections: every container gives the same arrays, every defect is named with its place."""
import io
import json
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from mmseam.evaluation.functional import (
    ResultsFormatError,
    ground_truth_from_annotations,
    image_key,
    read_detections,
    read_image_names,
)

FILES = {
    '0--Parade/0_Parade_a.txt': b'0_Parade_a\n2\n1 2 3 4 0.5 \n10.25 20 30 40.5 9e-1 \n',
    '0--Parade/0_Parade_b.txt': b'0--Parade/0_Parade_b.JPG\r\n1\r\n-1 -2 3 4 7.5\r\n\r\n',
    '1--Talk/1_Talk_c.txt': b'1_Talk_c.jpg\n0\n',
}
EXPECTED = {
    '0--Parade/0_Parade_a': [[1, 2, 3, 4, .5], [10.25, 20, 30, 40.5, .9]],
    '0--Parade/0_Parade_b': [[-1, -2, 3, 4, 7.5]],
    '1--Talk/1_Talk_c': [],
}


def assert_expected(detections, expected=EXPECTED):
    assert sorted(detections) == sorted(expected)
    for key, rows in detections.items():
        np.testing.assert_array_equal(rows, np.array(expected[key], float).reshape(-1, 5))


def write_folder(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_tar(path, files, mode):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_folder_at_any_depth(tmp_path):
    write_folder(tmp_path / 'deeper' / 'results', FILES)
    # Files that are no results.
    write_folder(tmp_path, {'readme.txt': b'hello', '0--Parade/.hidden.txt': b'x', '0--Parade/picture.png': b'x'})
    assert_expected(read_detections(tmp_path))


@pytest.mark.parametrize('name, mode', [('r.tar', 'w'), ('r.tar.gz', 'w:gz'), ('r.tgz', 'w:gz'), ('r.tar.bz2', 'w:bz2'),
                                        ('r.tar.xz', 'w:xz')])
@pytest.mark.parametrize('prefix', ['', './', 'method/'])
def test_tar_archives_are_not_unpacked(tmp_path, name, mode, prefix):
    files = {prefix + file: content for file, content in FILES.items()}
    files['__MACOSX/0--Parade/._0_Parade_a.txt'] = b'\0'
    assert_expected(read_detections(write_tar(tmp_path / name, files, mode)))
    assert os.listdir(tmp_path) == [name]


def test_zip_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / 'r.zip', 'w') as archive:
        for name, content in FILES.items():
            archive.writestr('method/' + name, content)
    assert_expected(read_detections(tmp_path / 'r.zip'))
    assert os.listdir(tmp_path) == ['r.zip']


@pytest.mark.parametrize('content, place, problem', [
    (b'', 'line 1', 'the file ends'),
    (b'a\n', 'line 2', 'the file ends'),
    (b'a\n2\n1 2 3 4 .5\n', 'line 2', "says '2' detections, but 1 rows follow"),
    (b'a\n0\n1 2 3 4 .5\n', 'line 2', "says '0' detections, but 1 rows follow"),
    (b'a\nmany\n1 2 3 4 .5\n', 'line 2', "says 'many' detections"),
    (b'a\n2\n1 2 3 4 .5\n1 2 3 4\n', 'line 4', "not '1 2 3 4'"),
    (b'a\n2\n1 2 3 4 .5 .6\n1 2 3 4\n', 'line 3', 'expected five finite numbers'),
    (b'a\n2\n\n1 2 3 4 .5\n1 2 x 4 .5\n', 'line 5', "not '1 2 x 4 .5'"),
    (b'a\n2\n1 2 3 4 .5\n1 2 3 4 nan\n', 'line 4', 'expected five finite numbers'),
    (b'a\n1\n1 inf 3 4 .5\n', 'line 3', 'expected five finite numbers'),
    (b'a\n1\n1 2 3 1e40 .5\n', 'line 3', 'expected five finite numbers'),
    (b'a\n2\n1 2 3 4 .5\n1 2 3 4_0 .5\n', 'line 4', "not '1 2 3 4_0 .5'"),
    (b'a\n' + 5000 * b'1' + b'\n1 2 3 4 .5\n', 'line 2', "says '1111"),
])
def test_malformed_result_file_is_named_with_its_line(tmp_path, content, place, problem):
    write_folder(tmp_path, dict(FILES, **{'0--Parade/bad.txt': content}))
    with pytest.raises(ResultsFormatError, match=f'{tmp_path}/0--Parade/bad.txt, {place}') as error:
        read_detections(tmp_path)
    assert problem in str(error.value)


def test_malformed_file_in_an_archive_is_named_too(tmp_path):
    path = write_tar(tmp_path / 'r.tar.gz', {'e/a.txt': b'a\n1\n1 2 3\n'}, 'w:gz')
    with pytest.raises(ValueError, match='r.tar.gz/e/a.txt, line 3'):
        read_detections(path)


def test_first_line_that_names_another_image_warns(tmp_path):
    write_folder(tmp_path, {'e/a.txt': b'b\n0\n', 'e/c.txt': b'c\n0\n'})
    with pytest.warns(UserWarning, match="1 result files names another image than the file name, .*e/a.txt says 'b'"):
        assert sorted(read_detections(tmp_path)) == ['e/a', 'e/c']


def test_two_methods_in_one_folder_are_an_error(tmp_path):
    write_folder(tmp_path / 'one', FILES)
    write_folder(tmp_path / 'two', FILES)
    with pytest.raises(ValueError, match='results of two methods'):
        read_detections(tmp_path)


def test_no_results_are_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match='absent'):
        read_detections(tmp_path / 'absent')
    with pytest.raises(ValueError, match='contains no result file'):
        read_detections(write_folder(tmp_path, {'readme.txt': b'a\n0\n'}))


@pytest.mark.parametrize('cut', [0, 30, -20])
def test_broken_archive_is_an_error(tmp_path, cut):
    whole = write_tar(tmp_path / 'r.tar.xz', {f'e/{i}.txt': os.urandom(99).hex().encode() for i in range(99)}, 'w:xz')
    broken = tmp_path / 'broken.tar.xz'
    broken.write_bytes(whole.read_bytes()[:cut])
    with pytest.raises(ValueError, match='broken.tar.xz'):
        read_detections(broken)


@pytest.mark.parametrize('path, key', [
    ('0--Parade/0_Parade_a.jpg', '0--Parade/0_Parade_a'),
    ('/data/WIDER_val/images/0--Parade/0_Parade_a.JPG', '0--Parade/0_Parade_a'),
    ('images\\0--Parade\\0_Parade_a.png', '0--Parade/0_Parade_a'),
    ('alone.jpeg', 'alone'),
    ('e/strips_only_a_suffix_pjg', 'e/strips_only_a_suffix_pjg'),
    ('e/a.b.jpg', 'e/a.b'),
    ('x/../e/a.jpg', 'e/a'),
    ('../../a.jpg', 'a'),
    ('e/../../a.jpg', 'a'),
])
def test_image_key(path, key):
    assert image_key(path) == key


def coco_results(names):
    return [dict(image_id=names[key], category_id=1, bbox=row[:4], score=row[4])
            for key, rows in EXPECTED.items() for row in rows]


def test_coco_results(tmp_path):
    path = tmp_path / 'r.json'
    found = {key: rows for key, rows in EXPECTED.items() if rows}
    path.write_text(json.dumps(coco_results({key: f'images/{key}.jpg' for key in EXPECTED})))
    assert_expected(read_detections(path), found)
    ids = {key: i for i, key in enumerate(EXPECTED)}
    path.write_text(json.dumps(coco_results(ids)))
    annotations = tmp_path / 'a.json'
    annotations.write_text(json.dumps(dict(images=[dict(id=i, file_name=f'{key}.JPG') for key, i in ids.items()])))
    assert_expected(read_detections(path, read_image_names(annotations)), found)
    with pytest.raises(ValueError, match='image_id 0 is a number'):
        read_detections(path)
    with pytest.raises(ResultsFormatError, match='r.json: expected COCO annotations'):
        read_image_names(path)
    # Two ids of one image: neither may hide the other
    annotations.write_text(json.dumps(dict(images=[dict(id=i, file_name='e/a.jpg') for i in ids.values()])))
    with pytest.raises(ResultsFormatError, match='image_id 0 and 1 both refer to image e/a'):
        read_detections(path, read_image_names(annotations))


@pytest.mark.parametrize('images, problem', [
    (5, 'expected COCO annotations'),
    ([5], 'image 0: expected COCO annotations, whose "images" have "id" and "file_name", not 5'),
    ([dict(id=[], file_name='a.jpg')], 'image 0: expected'),
    ([dict(id=1, file_name=2)], 'image 0: expected'),
    ([dict(id=1, file_name='a.jpg'), dict(id=1, file_name='b.jpg')], 'image 1: a second image with the id 1'),
])
def test_malformed_list_of_images_is_named(tmp_path, images, problem):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(dict(images=images)))
    with pytest.raises(ResultsFormatError, match=f'{path}.*{problem}'):
        read_image_names(path)


@pytest.mark.parametrize('content, problem', [
    ('{', 'is not JSON'),
    ('{"a": 1}', 'expected a list of dicts'),
    ('[{"image_id": "e/a", "score": 1}]', 'item 0: expected'),
    ('[{"image_id": "e/a", "bbox": [1, 2, 3], "score": 1}]', "item 0: a box is not four numbers, but [1, 2, 3]"),
    ('[{"image_id": "e/a", "bbox": [1, 2, 3, 4, 5, 6, 7, 8, 9], "score": 1}]', 'item 0: a box is not four numbers'),
    ('[{"image_id": "e/a", "bbox": ["1", "2", "3", "4"], "score": 1}]', "image 'e/a': expected numbers of shape"),
    ('[{"image_id": "e/a", "bbox": [1, 2, 3, 4], "score": [1]}]', "image 'e/a': expected numbers of shape (1, 5)"),
    ('[{"image_id": "e/a", "bbox": [1, 2, 3, 4], "score": null}]', "image 'e/a': expected numbers of shape (1, 5)"),
    ('[{"image_id": "e/a", "bbox": [1.5, 2, 3, 4], "score": 1%s}]' % (400 * '0'), "image 'e/a': expected numbers of"),
    ('[{"image_id": "e/a", "bbox": [1, 2, 3, 1e40], "score": 1}]', 'is NaN or infinite'),
    ('[{"image_id": "e/a", "bbox": [1, 2, 3, 4], "score": 1}, {"image_id": "x/e/a.jpg", "bbox": [1, 2, 3, 4], '
     '"score": 1}]', "image_id 'e/a' and 'x/e/a.jpg' both refer to image e/a"),
    ('[{"image_id": ["e/a"], "bbox": [1, 2, 3, 4], "score": 1}]', 'item 0: expected "image_id"'),
    ('[1, 2]', 'expected a list of dicts'),
    (100_000 * '[', 'is not JSON'),
    ('[{"image_id": %s}]' % (5000 * '1'), 'is not JSON'),
    ('[{"image_id": "e/a", "bbox": [1, 2, 3, NaN], "score": 1}]', 'is NaN or infinite'),
    ('[{"image_id": "e/a", "bbox": [1, 2, 3, 4], "score": 1, "category_id": 1},'
     '{"image_id": "e/a", "bbox": [1, 2, 3, 4], "score": 1, "category_id": 2}]', 'keep only the faces'),
    ('[{"pred_instances": {}}]', 'item 0: expected "img_path"'),
    ('[{"img_path": "e/a.jpg", "pred_instances": {"bboxes": [[1, 2, 3, 4]], "scores": [1], "labels": [3]}}]',
     'item 0: label 3'),
    ('[{"img_path": "e/a.jpg", "pred_instances": {"bboxes": [[1, 2, 3, 4], [1, 2, 3, 4]], "scores": [1, 1], '
     '"labels": [0]}}]', 'item 0, labels: expected numbers of shape (2,)'),
    ('[{"img_path": "e/a.jpg", "pred_instances": {"bboxes": [1, 2, 3, 4], "scores": [1], "labels": [0]}}]',
     'item 0: expected numbers of shape (1, 4)'),
    ('[{"img_path": "e/a.jpg", "pred_instances": {"bboxes": [[1, 2, 3, 4]], "scores": 1, "labels": [0]}}]',
     'item 0: expected numbers of shape'),
    ('[{"img_path": 5, "pred_instances": {"bboxes": [], "scores": [], "labels": []}}]', 'item 0: expected "img_path"'),
])
def test_malformed_json_is_named(tmp_path, content, problem):
    path = tmp_path / 'r.json'
    path.write_text(content)
    with pytest.raises(ResultsFormatError, match='r.json') as error:
        read_detections(path)
    assert problem in str(error.value)


def predictions(wrap):
    items = []
    for key, rows in EXPECTED.items():
        rows = np.array(rows, dtype=np.float64).reshape(-1, 5)
        boxes = np.column_stack([rows[:, :2], rows[:, :2] + rows[:, 2:4]])
        items.append(dict(
            img_path=f'/data/images/{key}.jpg', img_id=3, scale_factor=wrap(np.ones(2)),
            pred_instances=dict(bboxes=wrap(boxes), scores=wrap(rows[:, 4]), labels=wrap(np.zeros(len(rows), int)))))
    return items


def test_mmengine_dump_as_pickle_and_json(tmp_path):
    import torch
    from mmengine.evaluator import DumpResults, Evaluator
    from mmengine.structures import BaseDataElement, InstanceData
    evaluator = Evaluator(DumpResults(str(tmp_path / 'r.pkl')))
    for item in predictions(torch.from_numpy):
        found = InstanceData(**item.pop('pred_instances'))
        empty = InstanceData(bboxes=torch.zeros(0, 4))
        sample = BaseDataElement(metainfo=dict(item, ori_shape=(3, 4), flip=None, factor=(np.float32(1), 2.0)))
        sample.set_data(dict(pred_instances=found, gt_instances=empty))
        evaluator.process([sample], None)
    evaluator.evaluate(size=len(EXPECTED))
    assert_expected(read_detections(tmp_path / 'r.pkl'))
    with open(tmp_path / 'arrays.pickle', 'wb') as file:
        pickle.dump(predictions(np.asarray), file)
    assert_expected(read_detections(tmp_path / 'arrays.pickle'))
    (tmp_path / 'r.json').write_text(json.dumps(predictions(np.ndarray.tolist)))
    assert_expected(read_detections(tmp_path / 'r.json'))
    (tmp_path / 'twice.json').write_text(json.dumps(predictions(np.ndarray.tolist) * 2))
    with pytest.raises(ValueError, match='twice.json, item 3: a second prediction for image 0--Parade/0_Parade_a'):
        read_detections(tmp_path / 'twice.json')


class _Harmful:

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder, )


def test_pickle_cannot_run_code(tmp_path):
    path = tmp_path / 'r.pkl'
    path.write_bytes(pickle.dumps([_Harmful(str(tmp_path / 'made'))]))
    with pytest.raises(ValueError, match=r'r.pkl: the file refers to code, (posix|nt).mkdir'):
        read_detections(path)
    assert not (tmp_path / 'made').exists()
    path.write_bytes(b'not a pickle')
    with pytest.raises(ValueError, match='r.pkl'):
        read_detections(path)


def test_ground_truth_from_the_official_text(tmp_path):
    path = tmp_path / 'wider_face_toy_bbx_gt.txt'
    path.write_text('e/a.jpg\n3\n1 2 60 60 0 0 0 0 2 0\n1 2 60 40 1 0 0 1 0 0\n1 2 9 9 2 1 1 0 1 1\n'
                    'e/b.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n')
    truth = ground_truth_from_annotations(path)
    assert truth.keys == ('e/a', 'e/b') and truth.offsets.tolist() == [0, 3, 3]
    assert truth.attributes['occlusion'].tolist() == [2, 0, 1] and truth.attributes['invalid'].tolist() == [0, 1, 0]
    assert {name: keep.tolist() for name, keep in truth.subsets.items()} == dict(
        derived_easy=[True, False, False], derived_medium=[True, False, False], derived_hard=[True, False, False])


def test_official_text_and_mat_files_agree(test_data):
    from mmseam.evaluation.functional import read_official_ground_truth
    wider = test_data / 'wider_face'
    text = ground_truth_from_annotations(wider / 'wider_face_split' / 'wider_face_val_bbx_gt.txt')
    mat = read_official_ground_truth(wider / 'ground_truth')
    order = [text.keys.index(key) for key in mat.keys]
    rows = np.concatenate([np.arange(text.offsets[i], text.offsets[i + 1]) for i in order])
    np.testing.assert_array_equal(text.boxes[rows], mat.boxes)
    for name, column in mat.attributes.items():
        np.testing.assert_array_equal(text.attributes[name][rows], column)
    # What is derived is part of the official list, and nearly all of it.
    for name, share in (('easy', .98), ('medium', .98), ('hard', .97)):
        derived, official = text.subsets[f'derived_{name}'][rows], mat.subsets[name]
        assert not (derived & ~official).any() and derived.sum() > share * official.sum()


ROWS = b'b\n1\n1 2 3 4 0.5\n'


def _archive(path, name, content=ROWS, kind=tarfile.REGTYPE):
    """Make an archive with one member; a zip stores the kind of the member in its attributes."""
    if path.suffix == '.zip':
        info = zipfile.ZipInfo(name)
        info.external_attr = (0o120777 if kind == tarfile.SYMTYPE else 0o100644) << 16
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
        return path
    with tarfile.open(path, 'w:xz') as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, '/etc/passwd'
        member.size = len(content) if kind == tarfile.REGTYPE else 0
        archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize('suffix', ['.zip', '.tar.xz'])
@pytest.mark.parametrize(('name', 'content', 'kind', 'message'), [
    ('a/b.txt', b'0' * (9 << 20), tarfile.REGTYPE, 'has 9,437,184 bytes; the limit for the results of one image'),
    ('a/b.txt', ROWS, tarfile.SYMTYPE, 'is a link or a device'),
    ('a/../../b.txt', ROWS, tarfile.REGTYPE, 'lies outside the archive'),
    ('/a/b.txt', ROWS, tarfile.REGTYPE, 'lies outside the archive'),
])
def test_member_of_an_archive_is_refused_by_name(tmp_path, suffix, name, content, kind, message):
    path = _archive(tmp_path / f'r{suffix}', name, content, kind)
    with pytest.raises(ResultsFormatError) as error:
        read_detections(path)
    assert str(error.value).startswith(f'{path}/{name} {message}')


@pytest.mark.parametrize('kind', [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    with pytest.raises(ResultsFormatError, match='a/b.txt is a link or a device'):
        read_detections(_archive(tmp_path / 'r.tar', 'a/b.txt', kind=kind))


def test_encrypted_zip_is_named(tmp_path):
    path = _archive(tmp_path / 'r.zip', 'a/b.txt')
    data = bytearray(path.read_bytes())
    for header, flags in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):
        data[data.index(header) + flags] |= 1
    path.write_bytes(data)
    with pytest.raises(ResultsFormatError, match='a/b.txt is encrypted'):
        read_detections(path)


@pytest.mark.parametrize('suffix', ['.zip', '.tar.xz'])
def test_archive_that_expands_without_end_is_refused(tmp_path, suffix, monkeypatch):
    """The limit of all members together, lowered: many members that are small enough each."""
    module = 'mmseam.evaluation.functional.wider_face.result_folder.'
    monkeypatch.setattr(f'{module}_MAX_TOTAL', 5 * len(ROWS))
    files = {f'a/{number}.txt': ROWS for number in range(6)}
    if suffix == '.zip':
        with zipfile.ZipFile(tmp_path / 'r.zip', 'w') as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        write_tar(tmp_path / f'r{suffix}', files, 'w:xz')
    with pytest.raises(ResultsFormatError, match=r'a/5.txt exceeds the limit of 80 bytes per archive \(96 so far\)'):
        read_detections(tmp_path / f'r{suffix}')
    monkeypatch.setattr(f'{module}_MAX_TOTAL', 6 * len(ROWS))
    monkeypatch.setattr(f'{module}_MAX_BOXES', 5)
    with pytest.raises(ResultsFormatError, match='a/5.txt: more than 5 boxes'):
        read_detections(tmp_path / f'r{suffix}')
