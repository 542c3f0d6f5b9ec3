"""From COCO json back to the official text."""
import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from wider_face_files import annotation_text, face, write_wider_face

from mmseam.datasets.wider_face.annotations import WIDERFaceFormatError, read_wider_face_annotations
from mmseam.datasets.wider_face.from_coco import (
    coco_to_wider_face,
    convert_coco_to_wider_face,
    format_wider_face_annotations,
)
from mmseam.datasets.wider_face.to_coco import convert_wider_face_split, wider_face_to_coco

ROOT = Path(__file__).resolve().parents[2]
FACES = {
    'e/b.jpg': [face(10, 10, 40, 40, occlusion=2), face(70, 20, 30, 30, invalid=1)],
    'e/none.jpg': [],
    'd/a.JPG': [face(3, 4, 50, 60), face(100, 70, 0, 9), face(60, 9, 10, -2), [1.5, 2.1, 3, 4, 2, 1, 1, 1, 1, 1]],
}
COCO = dict(
    images=[dict(id=7, file_name='e/a.jpg'), dict(id=3, file_name='e/b.jpg')],
    annotations=[
        dict(id=n, image_id=image, category_id=1, bbox=[x, 0, 5, 5],
             attributes=dict(blur=0, expression=0, illumination=0, invalid=0, occlusion=1, pose=0))
        for n, image, x in ((1, 3, 1), (2, 7, 2), (3, 3, 3))
    ])


def test_text_to_json_to_text(tmp_path):
    write_wider_face(tmp_path, FACES, split='val')
    convert_wider_face_split(tmp_path, 'val', tmp_path / 'val.json')
    assert convert_coco_to_wider_face(tmp_path / 'val.json', tmp_path / 'out' / 'val.txt') == (3, 6)
    assert (tmp_path / 'out' / 'val.txt').read_text() == annotation_text(FACES)
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['val.txt']


def test_official_file_comes_back_byte_by_byte(test_data):
    path = test_data / 'wider_face' / 'wider_face_split' / 'wider_face_val_bbx_gt.txt'
    annotations = read_wider_face_annotations(path)
    sizes = np.ones((len(annotations), 2))
    coco = json.loads(json.dumps(wider_face_to_coco(annotations, sizes, range(len(annotations)))))
    assert format_wider_face_annotations(coco_to_wider_face(coco)) == path.read_text()


def test_faces_go_to_their_image_in_order():
    annotations = coco_to_wider_face(COCO)
    assert annotations.file_names == ['e/a.jpg', 'e/b.jpg']
    assert annotations.offsets.tolist() == [0, 1, 3]
    assert annotations.boxes[:, 0].tolist() == [2, 1, 3]
    assert coco_to_wider_face(dict(COCO, annotations=[])).offsets.tolist() == [0, 0, 0]


@pytest.mark.parametrize('change, message', [
    (lambda coco: coco.pop('images'), '"images" and "annotations"'),
    (lambda coco: coco['images'].clear(), 'no image'),
    (lambda coco: coco['images'][0].pop('id'), 'image 0: expected "id" and "file_name"'),
    (lambda coco: coco['images'][0].update(id=3), 'the same id'),
    (lambda coco: coco['images'][0].update(file_name='e/b.jpg'), 'the same file_name'),
    (lambda coco: coco['images'][0].update(file_name='e/b.txt'), "image id 7: .*found 'e/b.txt'"),
    (lambda coco: coco['annotations'][1].update(image_id=9), 'annotation 2: there is no image with the id 9'),
    (lambda coco: coco['annotations'][1].update(category_id=2), 'one category, found 1 and 2: keep'),
    (lambda coco: coco['annotations'][1].update(bbox=[1, 2, 3]), 'annotation 2: expected four finite'),
    (lambda coco: coco['annotations'][1].update(bbox=[1, 2, 3, float('nan')]), 'annotation 2: expected four finite'),
    (lambda coco: coco['annotations'][1].update(bbox=[1, 2, 3, 1e39]), 'annotation 2: expected four finite'),
    (lambda coco: coco['annotations'][1].update(bbox=[1, 2, 3, 10**400]), 'annotation 2: expected four finite'),
    (lambda coco: coco['annotations'][1].update(bbox=['1', '2', '3', '1_0']), 'annotation 2: expected four finite'),
    (lambda coco: coco['annotations'][1].update(image_id=[3]), r'no image with the id \[3\]'),
    (lambda coco: coco['annotations'].append(5), 'annotation number 3: expected'),
    (lambda coco: coco['images'].append(5), 'image 2: expected "id" and "file_name"'),
    (lambda coco: coco['images'][0].update(id=[]), 'image 0: expected "id" and "file_name"'),
    (lambda coco: coco['images'][0].update(file_name='../e/b.jpg'), 'file name below the image folder'),
    (lambda coco: coco['images'][0].update(file_name='/e/b.jpg'), 'file name below the image folder'),
    (lambda coco: coco['annotations'][1].pop('attributes'), 'annotation 2: expected "image_id", "bbox" and "att'),
    (lambda coco: coco['annotations'][1]['attributes'].pop('pose'), 'annotation 2: expected "image_id", "bbox"'),
    (lambda coco: coco['annotations'][1]['attributes'].update(pose=.5), 'whole numbers'),
    (lambda coco: coco['annotations'][1]['attributes'].update(pose=128), 'whole numbers'),
])
def test_bad_json_is_named(tmp_path, change, message):
    coco = copy.deepcopy(COCO)
    change(coco)
    path = tmp_path / 'faces.json'
    path.write_text(json.dumps(coco))
    with pytest.raises(WIDERFaceFormatError, match=f'faces.json: .*{message}'):
        convert_coco_to_wider_face(path, tmp_path / 'out.txt')
    assert not (tmp_path / 'out.txt').exists()


def test_deeply_nested_json_is_named(tmp_path):
    (tmp_path / 'deep.json').write_text(100_000 * '[')
    with pytest.raises(WIDERFaceFormatError, match='deep.json: '):
        convert_coco_to_wider_face(tmp_path / 'deep.json', tmp_path / 'out.txt')


def test_tool(tmp_path):
    (tmp_path / 'faces.json').write_text(json.dumps(COCO))
    tool = ROOT / 'tools' / 'dataset_converters' / 'coco_to_wider_face.py'
    command = [sys.executable, str(tool), str(tmp_path / 'faces.json'), str(tmp_path / 'faces.txt')]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, f'{tmp_path / "faces.txt"}: 2 images, 3 faces\n'), done.stderr
    (tmp_path / 'faces.json').write_text('{')
    failed = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f'error: {tmp_path / "faces.json"}: ')
