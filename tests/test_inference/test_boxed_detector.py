"""The face detector that comes with mmseam: loads without a checkpoint, finds faces, agrees with its card."""
import re
import subprocess
import sys

import numpy as np
import pytest

from mmseam.analysis.study.study_data import read_evaluation_set
from mmseam.analysis.study.study_description import EvaluationSet
from mmseam.apis import load_detector
from mmseam.datasets.toy_faces import make_toy_faces
from mmseam.evaluation.functional.average_precision import average_precision, match_image
from mmseam.utils.config import find_config

NAME = 'yolo11_n_multiseam-lite_faces'
MAX_BYTES = 6_000_000


@pytest.fixture(scope='module')
def detector():
    return load_detector(NAME)


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    """Draw faces, none of them trained on."""
    folder = tmp_path_factory.mktemp('toy') / 'faces'
    make_toy_faces(str(folder), 1, 6, 256, 5, 1)
    return folder


def score(detector, item):
    images = read_evaluation_set(item, ['face'])
    found = detector.stream([str(image.path) for image in images], score_thr=0.001)
    return average_precision([match_image(result.boxes, result.scores, image.boxes, image.ignore)
                              for image, result in zip(images, found)])


def test_weights_are_small_and_in_half_precision(detector):
    path = find_config(NAME).with_suffix('.pth')
    assert path.stat().st_size <= MAX_BYTES
    assert detector.classes == ('face', )


def test_drawn_faces_are_found(detector, drawn):
    item = EvaluationSet(drawn / 'wider_face_split' / 'wider_face_val_bbx_gt.txt', drawn / 'WIDER_val' / 'images')
    assert score(detector, item)[0] > 0.3


def test_predict_needs_no_model(repo, drawn, tmp_path):
    picture = next((drawn / 'WIDER_val' / 'images').rglob('*.jpg'))
    run = subprocess.run([sys.executable, repo / 'tools' / 'predict.py', picture, '--out-dir', tmp_path],
                         capture_output=True, text=True, check=True)
    assert 'face' in run.stdout
    assert (tmp_path / picture.name).is_file()


def test_card_tells_the_measured_figures(detector, test_data, repo):
    folder = test_data / 'masked_crowds'
    measured = score(detector, EvaluationSet(folder / 'test.json', folder / 'images'))
    row = re.search(rf'masked crowds.*?\| ([\d.]+) \| ([\d.]+) \| \[config\]\(./{NAME}.py\)',
                    (repo / 'configs' / 'faces' / 'README.md').read_text())
    np.testing.assert_allclose([measured.mean(), measured[0]], [float(row[1]) / 100, float(row[2]) / 100], atol=0.002)
