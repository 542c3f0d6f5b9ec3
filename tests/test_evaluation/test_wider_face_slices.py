"""Slice expressions: what they select, and how they say what is wrong."""
import numpy as np
import pytest

from mmseam.evaluation.functional import (
    STANDARD_SLICES,
    SliceError,
    WIDERFaceGroundTruth,
    read_official_ground_truth,
    select_faces,
)

OCCLUSION = np.array([0, 1, 2, 2, 0, 1])
BLUR = np.array([0, 0, 1, 2, 2, 1])
HEIGHT = np.array([8, 20, 20, 50, 51, 19])
HARD = np.array([False, True, True, True, True, False])
TRUTH = WIDERFaceGroundTruth.from_images(
    ['a'], [np.column_stack([np.zeros((6, 2)), HEIGHT + 1, HEIGHT])], {'hard': [HARD]},
    {'occlusion': [OCCLUSION], 'blur': [BLUR]})


@pytest.mark.parametrize('expression, expected', [
    ('occlusion=heavy', OCCLUSION == 2),
    ('occlusion == 2', OCCLUSION == 2),
    ('  occlusion!=none', OCCLUSION != 0),
    ('occlusion=heavy & height>=20', (OCCLUSION == 2) & (HEIGHT >= 20)),
    ('height<20', HEIGHT < 20),
    ('height<=20', HEIGHT <= 20),
    ('width>20.5', HEIGHT + 1 > 20.5),
    ('hard', HARD),
    ('!hard', ~HARD),
    ('!!hard&blur=clear', HARD & (BLUR == 0)),
    ('blur=heavy | occlusion=none & height<10', (BLUR == 2) | ((OCCLUSION == 0) & (HEIGHT < 10))),
    ('(blur=heavy | occlusion=none) & height<10', ((BLUR == 2) | (OCCLUSION == 0)) & (HEIGHT < 10)),
    ('!(hard | height>=19)', ~(HARD | (HEIGHT >= 19))),
    ('!hard | occlusion=partial', ~HARD | (OCCLUSION == 1)),
])
def test_selects(expression, expected):
    np.testing.assert_array_equal(select_faces(TRUTH, {'x': expression})['x'], expected)


@pytest.mark.parametrize('expression, position, problem', [
    ('', 0, 'expected a column'),
    ('occlusion', 9, "expected an operator after 'occlusion'"),
    ('occlusion=', 10, "expected a value of 'occlusion': a number, none, partial, heavy"),
    ('occlusion=severe', 10, "expected a value of 'occlusion'"),
    ('height>=tall', 8, "expected a value of 'height': a number"),
    ('oclusion=heavy', 0, "no column or subset 'oclusion'; there are blur, hard, height, occlusion, width"),
    ('blur=heavy & ', 12, 'expected a column'),
    ('blur=heavy blur=normal', 11, 'expected "&", "|" or the end, not \'blur\''),
    ('(blur=heavy', 11, 'expected ")"'),
    ('blur=heavy)', 10, 'expected "&", "|" or the end'),
    ('blur=heavy ?', 11, 'unexpected character'),
    ('hard = 1', 5, 'expected "&", "|" or the end'),
])
def test_errors_point_at_the_position(expression, position, problem):
    with pytest.raises(SliceError) as error:
        select_faces(TRUTH, {'x': expression})
    assert error.value.position == position and problem in str(error.value)
    assert str(error.value).splitlines()[-1] == ' ' * (2 + position) + '^'


def test_standard_slices_of_an_attribute_part_the_set(test_data):
    truth = read_official_ground_truth(test_data / 'wider_face' / 'ground_truth')
    masks = select_faces(truth, STANDARD_SLICES)
    for column in ('occlusion', 'blur', 'pose', 'illumination', 'expression', 'height'):
        parts = [mask for name, mask in masks.items() if name.startswith(column)]
        np.testing.assert_array_equal(np.sum(parts, axis=0), 1)
    assert masks['occlusion=heavy'].sum() == 8711 and masks['height<16'].sum() == 15861
