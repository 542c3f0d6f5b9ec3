"""COCO JSON from WIDER FACE, and COCO evaluation of the dataset with and without it."""
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from pycocotools.coco import COCO
from wider_face_files import face, write_wider_face

from mmseam.datasets import WIDERFaceDataset
from mmseam.datasets.wider_face.to_coco import convert_wider_face_split

pytestmark = pytest.mark.usefixtures('mmyolo_scope')
FACES = {
    'e/a.jpg': [face(10, 10, 40, 40, occlusion=2), face(70, 20, 30, 30, invalid=1)],
    'e/none.jpg': [],
    'e/c.jpg': [face(3, 4, 50, 60), face(100, 70, 0, 9), face(60, 9, 10, -2)],
}


def test_converted_split(tmp_path):
    write_wider_face(tmp_path, FACES, split='val')
    assert convert_wider_face_split(tmp_path, 'val', tmp_path / 'out' / 'val.json') == (3, 5)
    coco = COCO(str(tmp_path / 'out' / 'val.json'))
    assert coco.loadCats(coco.getCatIds()) == [dict(id=1, name='face')]
    assert [image['file_name'] for image in coco.loadImgs(coco.getImgIds())] == list(FACES)
    assert coco.loadImgs(2) == [dict(id=2, file_name='e/c.jpg', width=120, height=80)]
    faces = coco.loadAnns(coco.getAnnIds(imgIds=[0]))
    assert faces[0] == dict(
        id=1, image_id=0, category_id=1, bbox=[10, 10, 40, 40], area=1600, iscrowd=0, ignore=0,
        attributes=dict(blur=1, expression=0, illumination=1, invalid=0, occlusion=2, pose=0))
    assert (faces[1]['iscrowd'], faces[1]['ignore'], faces[1]['attributes']['invalid']) == (1, 1, 1)
    assert [(f['bbox'], f['area'], f['iscrowd']) for f in coco.loadAnns(coco.getAnnIds(imgIds=[2]))] == [
        ([3, 4, 50, 60], 3000, 0), ([100, 70, 0, 9], 0, 1), ([60, 9, 10, -2], 0, 1)]
    assert not list((tmp_path / 'out').glob('*.tmp'))


def test_image_ids_are_those_of_the_dataset(tmp_path):
    config = write_wider_face(tmp_path, FACES, split='val')
    (tmp_path / 'WIDER_val' / 'images' / 'e' / 'none.jpg').unlink()
    convert_wider_face_split(tmp_path, 'val', tmp_path / 'val.json', skip_missing=True)
    images = json.loads((tmp_path / 'val.json').read_text())['images']
    dataset = WIDERFaceDataset(**config, test_mode=True, missing='skip')
    assert [(i['id'], i['file_name']) for i in images] == [(i['img_id'], i['file_name']) for i in dataset]


def test_tool(tmp_path):
    write_wider_face(tmp_path, FACES, split='val')
    tool = Path(__file__).parents[2] / 'tools' / 'dataset_converters' / 'wider_face_to_coco.py'
    command = [sys.executable, str(tool), str(tmp_path)]
    done = subprocess.run([*command, '--split', 'val'], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert f'{tmp_path / "annotations" / "wider_face_val.json"}: 3 images, 5 faces' in done.stdout
    assert len(json.loads((tmp_path / 'annotations' / 'wider_face_val.json').read_text())['annotations']) == 5

    failed = subprocess.run([*command, '--split', 'train'], capture_output=True, text=True, timeout=300)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith('error: ')
    assert 'wider_face_train_bbx_gt.txt: no such annotation file' in failed.stderr


def evaluate(config, metric, boxes_of):
    """COCO AP50 of given boxes (one score each) through the test pipeline and MMEngine's evaluator."""
    pipeline = [
        dict(type='mmseam.LoadIntactImage'),
        dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'instances'))
    ]
    dataset = WIDERFaceDataset(**config, test_mode=True, pipeline=pipeline)
    evaluator = Evaluator(dict(type='mmdet.CocoMetric', metric='bbox', proposal_nums=(1, 10, 100), **metric))
    evaluator.dataset_meta = dataset.metainfo
    for sample in dataset:
        data_sample = sample['data_samples']
        boxes = torch.tensor(boxes_of(data_sample.instances), dtype=torch.float32).reshape(-1, 4)
        data_sample.pred_instances = InstanceData(
            bboxes=boxes, scores=torch.full((len(boxes), ), .9), labels=torch.zeros(len(boxes), dtype=torch.long))
        evaluator.process([data_sample])
    return evaluator.evaluate(len(dataset))['coco/bbox_mAP_50']


@pytest.mark.parametrize('with_json', [False, True], ids=['from the dataset', 'from the json file'])
def test_coco_metric_ignores_ignored_faces(tmp_path, with_json):
    config = write_wider_face(tmp_path, FACES, split='val')
    convert_wider_face_split(tmp_path, 'val', tmp_path / 'val.json')
    metric = dict(ann_file=str(tmp_path / 'val.json')) if with_json else {}

    def all_faces(instances):
        return [i['bbox'] for i in instances if i['bbox'][2] > i['bbox'][0] and i['bbox'][3] > i['bbox'][1]]

    def first_face(instances):
        return all_faces(instances)[:1]

    def ignored_face_moved(instances):
        return [[x1, y1 + 25 * (x1 == 70), x2, y2 + 25 * (x1 == 70)] for x1, y1, x2, y2 in all_faces(instances)]

    assert evaluate(config, metric, all_faces) == 1
    assert evaluate(config, metric, first_face) == 1
    # Off the ignored face, the same detection is false: precision 1 up to recall .5, then 2/3, at 101 recall points.
    assert evaluate(config, metric, ignored_face_moved) == pytest.approx((51 + 50 * 2 / 3) / 101, abs=5e-4)
    # One of two faces found.
    assert evaluate(config, metric, lambda faces: first_face(faces) if len(faces) > 2 else []) == pytest.approx(
        51 / 101, abs=5e-4)
