"""What the tests of export share."""
import pytest
import torch
from mmengine.registry import DefaultScope
from small_detector import SmallDetector, spread

from mmseam.utils import register_all_modules


@pytest.fixture(scope='session')
def detector():
    """Build the untrained small detector, with spread outputs."""
    register_all_modules()
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseam'):  # whatever a runner of another test has left
        return spread(SmallDetector())


@pytest.fixture(scope='session')
def noise():
    """Return a function that makes inputs of the network."""
    def make(batch: int, height: int, width: int) -> torch.Tensor:
        return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(1))
    return make
