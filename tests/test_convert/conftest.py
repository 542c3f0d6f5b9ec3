"""Checkpoint files that several tests of the conversion read."""
import pytest
from conversion_cases import random_tensors, write_checkpoint, yolo11_shapes


@pytest.fixture(scope='session')
def yolo11n_tensors():
    """Tensors of a YOLO11n with one class, by their names in Ultralytics."""
    return random_tensors(yolo11_shapes('n', 1))


@pytest.fixture(scope='session')
def yolo11n_file(tmp_path_factory, yolo11n_tensors):
    """Write a YOLO11n checkpoint with random weights, as Ultralytics does."""
    path = tmp_path_factory.mktemp('weights') / 'yolo11n.pt'
    write_checkpoint(path, yolo11n_tensors)
    return path
