"""Fixtures of the data tests."""
import pytest
from mmengine.registry import DefaultScope


@pytest.fixture()
def mmyolo_scope():
    """Set the default scope of our configs, without which MMEngine does not find types of mmseam."""
    with DefaultScope.overwrite_default_scope('mmyolo'):
        yield
