"""The reader of COCO JSON that occlusion curves and studies share."""
import json

import pytest
from coco_files import coco_box, write_coco

from mmseam.analysis.study.study_data import read_evaluation_set
from mmseam.analysis.study.study_description import EvaluationSet
from mmseam.analysis.study.study_file import StudyFileError
from mmseam.datasets.occlusion import load_samples


def test_curves_and_studies_agree_on_boxes_that_need_not_be_found(tmp_path):
    path = write_coco(tmp_path, {
        'b.jpg': [coco_box((1, 2.5, 30, 40)), coco_box((5, 6, 0, 8)), coco_box((5, 6, 7, 8), ignore=1)],
        'a.jpg': [], 'c.jpg': [dict(coco_box((1, 1, 2, 2)), iscrowd=1)]})
    evaluated = read_evaluation_set(EvaluationSet(path, tmp_path / 'images'), ['face'])
    samples = load_samples(path, tmp_path / 'images')
    assert [image.ignore.tolist() for image in evaluated] == [[False, True, True], [], [True]]
    for image, sample in zip(evaluated, samples):
        assert image.path == sample.path and image.ignore.tolist() == sample.ignore.tolist()
        assert image.boxes.tolist() == sample.boxes.tolist()


@pytest.mark.parametrize('change, message', [
    (dict(images=[dict(id=1, file_name='../a.jpg')]), 'train.json: image 0: expected "id" and a "file_name" below'),
    (dict(images=[]), 'train.json: there is no image'),
    (dict(annotations=[dict(image_id=0, category_id=2, bbox=[1, 2, 3, 4])]), 'annotation 0 names a category that'),
    (dict(annotations=[dict(image_id=0, category_id=[], bbox=[1, 2, 3, 4])]), 'annotation 0: expected a number as'),
    (dict(annotations=[dict(image_id=0, category_id=1, bbox=[1, 2, 3])]), 'annotation 0: expected four finite'),
], ids=['name', 'empty', 'category', 'list', 'box'])
def test_studies_name_the_entry(change, message, tmp_path):
    path = write_coco(tmp_path, {'a.jpg': []})
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(StudyFileError, match=message):
        read_evaluation_set(EvaluationSet(path, tmp_path / 'images'), ['face'])
