"""WIDER FACE's easy, medium and hard in a study."""
from types import SimpleNamespace

import numpy as np
import pytest
from test_study import change, make_result, study_file  # noqa: F401

from mmseam.analysis.study import StudyFileError, read_study
from mmseam.analysis.study.study_evaluation import evaluation_digest, score_all
from mmseam.analysis.study.study_report import markdown
from mmseam.analysis.study.study_results import RunResult
from mmseam.analysis.study.study_statistics import summarize
from mmseam.evaluation.functional.wider_face.ground_truth import (
    WIDERFaceGroundTruth,
    image_key,
    read_official_ground_truth,
)
from mmseam.evaluation.functional.wider_face.protocol import evaluate_wider_face


class FakeDetector:
    """Finds most faces of the ground truth, shifted, with random scores; keeps its detections by image key."""

    def __init__(self, truth: WIDERFaceGroundTruth) -> None:
        self.truth, self.rows = truth, {}

    def stream(self, paths, score_thr):
        rng = np.random.default_rng(0)
        for path in paths:
            index = self.truth.keys.index(image_key(path))
            boxes = self.truth.boxes[self.truth.offsets[index]:self.truth.offsets[index + 1]]
            boxes = boxes[rng.random(len(boxes)) < .7] + rng.normal(0, 2, (1, 4))
            scores = rng.uniform(score_thr, 1, len(boxes))
            self.rows[image_key(path)] = np.hstack([boxes, scores[:, None]])
            corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
            yield SimpleNamespace(name=path, boxes=corners, scores=scores, labels=np.zeros(len(boxes), int))


@pytest.fixture
def study(study_file, test_data):  # noqa: F811
    folder = test_data / 'wider_face'
    return read_study(change(study_file, evaluate={'WIDER FACE 28': dict(
        annotations=str(folder / 'wider_face_split' / 'wider_face_val_bbx_gt.txt'),
        images=str(folder / 'WIDER_val' / 'images'), ground_truth=str(folder / 'ground_truth'))}))


def test_only_the_images_of_the_set_count(study, test_data):
    truth = read_official_ground_truth(test_data / 'wider_face' / 'ground_truth')
    detector = FakeDetector(truth)
    scores = score_all(study, lambda side: detector)
    assert len(detector.rows) == 28
    present = [truth.keys.index(key) for key in detector.rows]
    parts = [slice(*truth.offsets[[index, index + 1]]) for index in present]
    alone = WIDERFaceGroundTruth.from_images(
        list(detector.rows), [truth.boxes[part] for part in parts],
        {name: [kept[part] for part in parts] for name, kept in truth.subsets.items()})
    expected = {name: score.ap for name, score in evaluate_wider_face(alone, detector.rows).items()}
    assert scores.wider_face == {'WIDER FACE 28': pytest.approx(expected)}
    assert .3 < expected['hard'] < .8


def test_table_and_round_trip(study, tmp_path):
    runs = {}
    for variant, seed, hard in (('plain', 0, .5), ('plain', 1, .6), ('seam', 0, .7), ('seam', 1, .7)):
        result = make_result(variant, seed, 3)
        result.matches = {('WIDER FACE 28', 'all'): result.matches['own set', 'all']}
        result.occlusion, result.wider_face = {}, {'WIDER FACE 28': dict(easy=.9, hard=hard)}
        runs[variant, seed] = RunResult.load(result.save(tmp_path))
    text = markdown(study, summarize(study, runs, num_resamples=20, progress=False), {})
    assert '| plain | 90.0 |  | 55.0 |' in text
    assert '| SEAM | 90.0 (+0.0 [+0.0, +0.0]) |  | 70.0 (+15.0 [−48.5, +78.5]) |' in text


def test_ground_truth_is_part_of_the_evaluation(study, study_file, tmp_path):  # noqa: F811
    digest = evaluation_digest(study)
    item = study.evaluate['WIDER FACE 28']
    study.evaluate['WIDER FACE 28'] = type(item)(item.annotations, item.images)
    assert evaluation_digest(study) != digest


def test_foreign_ground_truth_is_refused(study_file, test_data):  # noqa: F811
    study = read_study(change(study_file, evaluate={'own set': dict(
        annotations='a/train.json', images='a/images', ground_truth=str(test_data / 'wider_face' / 'ground_truth'))}))
    detector = SimpleNamespace(stream=lambda paths, score_thr: (
        SimpleNamespace(name=path, boxes=np.zeros((0, 4)), scores=np.zeros(0), labels=np.zeros(0, int))
        for path in paths))
    with pytest.raises(StudyFileError, match='its images are others than those of the evaluation set'):
        score_all(study, lambda side: detector)
