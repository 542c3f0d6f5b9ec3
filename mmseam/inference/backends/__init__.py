"""Engines that run exported files, all through one interface; each imports its library when it loads a file."""
from pathlib import Path
from typing import Any, Optional, Union

from .base import Backend
from .errors import ExportedModelError
from .onnxruntime_backend import OnnxRuntimeBackend
from .openvino_backend import OpenVINOBackend
from .torch_export_backend import TorchExportBackend
from .torchscript_backend import TorchScriptBackend

__all__ = ['Backend', 'ExportedModelError', 'is_exported', 'load_backend']

_BACKENDS = {
    '.onnx': OnnxRuntimeBackend,
    '.torchscript': TorchScriptBackend,
    '.pt2': TorchExportBackend,
    '.xml': OpenVINOBackend,
}


def is_exported(path: Union[str, Path]) -> bool:
    """Whether a path has the suffix of an exported model: .onnx, .torchscript, .pt2 or .xml (OpenVINO)."""
    return Path(path).suffix.lower() in _BACKENDS


def load_backend(path: Union[str, Path], device: Any = None, num_threads: Optional[int] = None) -> Backend:
    """Load an exported model; the suffix tells which engine runs it.

    Args:
        path (str or Path): An ``.onnx``, ``.torchscript``, ``.pt2`` or ``.xml`` (OpenVINO) file, as
            ``tools/deployment/export.py`` writes them.
        device (str or torch.device, optional): Where to run it. Defaults to the CPU.
        num_threads (int, optional): Threads of one run on the CPU. Defaults to the physical cores that the process
            may use, or PyTorch's own number for its two kinds of files.

    Returns:
        Backend: The model.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: The library that runs such files is missing.
        ExportedModelError: The suffix is unknown, or the file is damaged or lacks mmseam's metadata.
    """
    path = Path(path)
    if not is_exported(path):
        raise ExportedModelError(f'{path} is no exported model: their suffixes are {", ".join(_BACKENDS)}')
    if not path.is_file():
        raise FileNotFoundError(f'there is no exported model {path}')
    backend = _BACKENDS[path.suffix.lower()]
    try:
        return backend(path, device, num_threads)
    except (ExportedModelError, ImportError):
        raise
    except Exception as error:  # each library has its own errors for damaged files
        raise ExportedModelError(f'{path} cannot be loaded by {backend.library} ({type(error).__name__}: {error}); '
                                 'export it again') from error
