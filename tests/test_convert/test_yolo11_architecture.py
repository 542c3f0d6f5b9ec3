"""Sizes of YOLO11."""
from pathlib import Path

import pytest
import torch
from conversion_cases import LAYERS, yolo11_shapes

from mmseam.convert.ultralytics_reader import UltralyticsCheckpoint
from mmseam.convert.yolo11_architecture import check_yolo11, yolo11_size


def _checkpoint(shapes):
    return UltralyticsCheckpoint(
        path=Path('yolo.pt'), state_dict={name: torch.empty(shape, device='meta') for name, shape in shapes.items()},
        layers=LAYERS, names=('face', ), task='detect', train_metrics={}, date='', version='',
        license='')


@pytest.mark.parametrize('size', 'nsmlx')
def test_published_sizes(size):
    checkpoint = _checkpoint(yolo11_shapes(size, 1))
    check_yolo11(checkpoint)
    assert yolo11_size(checkpoint) == size


def test_other_sizes_are_called_custom():
    shapes = yolo11_shapes('n', 1)
    wide = {**shapes, 'model.0.conv.weight': (24, 3, 3, 3)}
    deep = {**shapes, 'model.2.m.1.cv1.conv.weight': (16, 16, 3, 3)}
    assert yolo11_size(_checkpoint(wide)) == 'custom'
    assert yolo11_size(_checkpoint(deep)) == 'custom'
