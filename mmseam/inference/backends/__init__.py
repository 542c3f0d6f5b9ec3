"""Backends with a common interface: PyTorch for checkpoints, and the libraries that run exported files."""
import logging
from functools import cache
from pathlib import Path
from typing import Any, Dict, Optional, Type, Union

from mmengine.logging import print_log

from .base import Backend, Detections
from .exported import ExportedBackend, ExportedModelError
from .onnxruntime_backend import OnnxRuntimeBackend
from .openvino_backend import OpenVINOBackend
from .pytorch import PyTorchBackend
from .torch_backends import TorchBackend, TorchExportBackend, TorchScriptBackend

__all__ = [
    'Backend', 'Detections', 'ExportedBackend', 'ExportedModelError', 'PyTorchBackend', 'is_exported', 'load_backend'
]

_BACKENDS: Dict[str, Type[ExportedBackend]] = {
    '.onnx': OnnxRuntimeBackend,
    '.torchscript': TorchScriptBackend,
    '.pt2': TorchExportBackend,
    '.xml': OpenVINOBackend,
}


def is_exported(path: Union[str, Path]) -> bool:
    """Return whether a path has the suffix of an exported model: .onnx, .torchscript, .pt2 or .xml (OpenVINO)."""
    return Path(path).suffix.lower() in _BACKENDS


@cache
def _warn_of_program(path: Path) -> None:
    """Warn once per file that loading it runs code."""
    print_log(f'{path} is a PyTorch program, which can run any code of its author: load such files only from '
              'sources that you trust, and use ONNX files from others', logger='current', level=logging.WARNING)


def load_backend(path: Union[str, Path], device: Any = None, num_threads: Optional[int] = None,
                 rect: bool = True) -> ExportedBackend:
    """Load an exported model with the library for its suffix.

    Args:
        path (str or Path): An ``.onnx``, ``.torchscript``, ``.pt2`` or ``.xml`` (OpenVINO) file written by
            ``tools/deployment/export.py``. TorchScript and ``.pt2`` files are programs: load them only from sources
            that you trust (docs/security.md).
        device (str or torch.device, optional): Device to run on. Defaults to None: the CPU.
        num_threads (int, optional): Number of CPU threads per run. Defaults to None: the number of physical cores
            available to the process, or PyTorch's own setting for its two formats.
        rect (bool): See :class:`~mmseam.inference.preprocessing.ImagePreprocessor`. Defaults to True.

    Returns:
        ExportedBackend: The model.

    Raises:
        FileNotFoundError: The file does not exist.
        ImportError: The library for this format is not installed.
        ExportedModelError: The suffix is unknown, or the file is damaged or lacks mmseam's metadata.
    """
    path = Path(path)
    if not is_exported(path):
        raise ExportedModelError(f'{path} is not an exported model; their suffixes are {", ".join(_BACKENDS)}')
    if not path.is_file():
        raise FileNotFoundError(f'there is no exported model {path}')
    backend = _BACKENDS[path.suffix.lower()]
    if issubclass(backend, TorchBackend):
        _warn_of_program(path)
    try:
        return backend(path, device, num_threads, rect)
    except (ExportedModelError, ImportError):
        raise
    except Exception as error:  # each library raises its own errors for damaged files
        raise ExportedModelError(f'{path} cannot be loaded by {backend.library} ({type(error).__name__}: {error}); '
                                 'export it again') from error
