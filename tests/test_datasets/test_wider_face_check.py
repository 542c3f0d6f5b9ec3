"""The checker names each fault, and only those."""
import json
import subprocess
import sys
from pathlib import Path

import pytest
from wider_face_files import face, truncate, write_image, write_wider_face

from mmseam.datasets.toy_faces import make_toy_faces
from mmseam.datasets.wider_face import check as wider_face_check
from mmseam.datasets.wider_face.check import check_wider_face

ROOT = Path(__file__).resolve().parents[2]
SIZE = (1024, 60)


@pytest.fixture()
def write(tmp_path, monkeypatch):
    """Write a validation split that is complete by its own counts; return the folder of its images."""

    def write_split(images):
        number = len(images), sum(map(len, images.values()))
        monkeypatch.setitem(wider_face_check.OFFICIAL_COUNTS, 'val', number)
        write_wider_face(tmp_path, images, 'val', SIZE)
        return tmp_path / 'WIDER_val' / 'images'

    return write_split


def faults(root, split='val'):
    """Items by level and the first words of what was found, the counts left out."""
    return {(found.level, found.what.split(' (')[0]): found.items for found in check_wider_face(root, split)
            if 'listed' not in found.what}


GOOD = {'e/a.jpg': [face(10, 10, 20, 30), face(60, 5, 9, 9)], 'f/b.JPG': [], 'f/c.jpg': [face(0, 0, 1024, 60)]}


def test_good_copy(write, tmp_path):
    write(GOOD)
    findings = check_wider_face(tmp_path, 'val')
    assert [(found.level, found.what, found.count) for found in findings] == [
        ('note', 'images listed (official: 3)', 3), ('note', 'faces listed (official: 3)', 3)]


def test_nothing_is_written(write, tmp_path):
    write(GOOD)
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob('*'))
    check_wider_face(tmp_path, 'val')
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob('*')) == before


def test_files(write, tmp_path):
    images = write({**GOOD, 'f/d.jpg': [face(1, 1, 9, 9)], 'f/e.jpg': []})
    (images / 'e' / 'a.jpg').unlink()
    truncate(images / 'f' / 'b.JPG')
    write_image(images / 'f' / 'c.jpg', (512, 30), seed=8)
    (images / 'f' / 'e.jpg').write_bytes((images / 'f' / 'd.jpg').read_bytes())
    write_image(images / 'g' / 'new.png', SIZE, seed=9)
    found = faults(tmp_path)
    unreadable = found.pop(('error', 'unreadable or truncated images'))
    assert len(unreadable) == 1 and str(images / 'f' / 'b.JPG') in unreadable[0]
    assert found == {
        ('error', 'missing images'): ['e/a.jpg'],
        ('warning', 'images not 1024 pixels wide'): ['f/c.jpg: 512×30'],
        ('warning', 'images missing from the annotation file'): ['g/new.png'],
        ('warning', 'images with identical content'): ['f/d.jpg = f/e.jpg'],
        ('note', 'boxes that extend beyond their image'): ['f/c.jpg, face 1'],
    }


def test_faces(write, tmp_path):
    write({'e/none.jpg': [], 'e/a.jpg': [
        face(10, 10, 20, 30), face(-5, 10, 20, 30), face(1010, 10, 20, 10), face(1024, 10, 20, 10),
        face(-9, 10, 9, 10), face(50, 50, 0, 9), face(50, 50, 9, -1), face(70, 10, 9, 9, invalid=1),
        face(10, 10, 20, 30, occlusion=2)]})

    def of(*numbers):
        return [f'e/a.jpg, face {number}' for number in numbers]

    assert faults(tmp_path) == {
        ('warning', 'boxes completely outside their image'): of(4, 5),
        ('note', 'boxes that extend beyond their image'): of(2, 3),
        ('note', 'boxes of zero width or height'): of(6, 7),
        ('note', 'faces marked invalid'): of(8),
        ('note', 'faces with the same box as another in their image'): of(9),
    }


@pytest.mark.parametrize('text, message', [(None, 'No such file'), ('e/a.jpg\n2\n1 2 3 4 0 0 0 0 0 0\n', 'line 4')])
def test_bad_annotation_file(tmp_path, text, message):
    if text:
        (tmp_path / 'wider_face_split').mkdir()
        (tmp_path / 'wider_face_split' / 'wider_face_val_bbx_gt.txt').write_text(text)
    finding, = check_wider_face(tmp_path, 'val')
    assert (finding.level, finding.count) == ('error', 1) and message in finding.items[0]


def test_list_of_the_test_split_that_is_no_text(tmp_path):
    (tmp_path / 'wider_face_split').mkdir()
    (tmp_path / 'wider_face_split' / 'wider_face_test_filelist.txt').write_bytes(b'e/\xff.jpg')
    finding, = check_wider_face(tmp_path, 'test')
    assert finding.level == 'error' and 'wider_face_test_filelist.txt: expected UTF-8 text' in finding.items[0]


def test_list_of_the_test_split(tmp_path):
    (tmp_path / 'wider_face_split').mkdir()
    (tmp_path / 'wider_face_split' / 'wider_face_test_filelist.txt').write_text('e/a.jpg\r\ne/b.jpg\n\n')
    write_image(tmp_path / 'WIDER_test' / 'images' / 'e' / 'a.jpg', SIZE)
    assert [(found.level, found.what, found.count, found.items) for found in check_wider_face(tmp_path, 'test')] == [
        ('error', 'missing images', 1, ['e/b.jpg']), ('warning', 'images listed (official: 16,097)', 2, [])]


def test_official_val(test_data):
    """The annotation file is the official one; of its images only some are here."""
    found = {finding.what.split(' (')[0]: finding for finding in check_wider_face(test_data / 'wider_face', 'val')}
    assert found['images listed'].count == 3226
    assert found['faces listed'].count == 39708
    assert found['missing images'].count == 3226 - 28
    assert found['boxes of zero width or height'].count == 11
    assert {finding.level for finding in found.values()} == {'error', 'note'}
    assert 'unreadable or truncated images' not in found


def test_tool(tmp_path):
    make_toy_faces(tmp_path / 'toy', 2, 2, 96)
    tool = ROOT / 'tools' / 'analysis_tools' / 'check_wider_face.py'

    def run(status):
        command = [sys.executable, str(tool), str(tmp_path / 'toy'), '--out', str(tmp_path / 'report.json')]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == status, done.stderr
        return done.stdout, json.loads((tmp_path / 'report.json').read_text())

    table, report = run(0)
    assert report['ok'] and {finding['split'] for finding in report['findings']} == {'train', 'val'}
    assert '(official: 12,880)' in table
    gone = next((tmp_path / 'toy' / 'WIDER_val').rglob('*.jpg'))
    gone.unlink()
    table, report = run(1)
    errors = [finding for finding in report['findings'] if finding['level'] == 'error']
    assert not report['ok'] and len(errors) == 1
    assert (errors[0]['what'], errors[0]['items']) == ('missing images', [f'{gone.parent.name}/{gone.name}'])
    assert gone.name in table
