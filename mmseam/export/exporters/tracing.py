"""Common parts of the exporters: example inputs, dynamic shapes and silenced warnings."""
import inspect
import logging
import warnings
from contextlib import contextmanager
from typing import Iterator, Optional

import torch
from torch import Tensor

from mmseam.inference.metadata import ModelMetadata

_CHANNELS = 3


def require_recent_pytorch() -> None:
    """Check that PyTorch's exporters are recent enough.

    Those of PyTorch 2.1, with which one can train, know no dynamic shapes and fail on the attention layers.

    Raises:
        ImportError: They are too old.
    """
    if 'dynamic_shapes' not in inspect.signature(torch.onnx.export).parameters:
        raise ImportError(f'PyTorch {torch.__version__} is too old to export detectors (tested with 2.13); update it: '
                          'pip install -U torch')


def example_images(metadata: ModelMetadata) -> Tensor:
    """Create noise images (1, 3, H, W), or (2, 3, H, W) for dynamic sizes.

    ``torch.export`` treats a size of one as a constant.
    """
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2 if metadata.dynamic else 1, _CHANNELS, *metadata.input_size, generator=generator)


def dynamic_shapes(metadata: ModelMetadata) -> Optional[dict]:
    """Return the symbolic input sizes for ``torch.export``, or None if they are fixed.

    Height and width are multiples of the largest stride, at least two strides.
    """
    if not metadata.dynamic:
        return None
    stride = max(metadata.strides)
    height, width = (stride * torch.export.Dim(name, min=2, max=8192 // stride) for name in ('rows', 'columns'))
    return dict(images={0: torch.export.Dim('batch', min=1, max=1024), 2: height, 3: width})


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings and log messages below errors, since even a correct export emits dozens."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(disabled)
