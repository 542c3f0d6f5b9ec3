"""Export to TorchScript and ``torch.export`` files, which PyTorch loads without this repository."""
import io
from pathlib import Path
from typing import IO, Callable

import torch

from mmseam.inference.metadata import ModelMetadata

from ..export_model import ExportModel
from .tracing import dynamic_shapes, example_images, quiet


def export_torchscript(model: ExportModel, metadata: ModelMetadata, path: Path) -> None:
    """Write a TorchScript file with a fixed input size; each metadata field is an extra file.

    Args:
        model (ExportModel): The model.
        metadata (ModelMetadata): Its metadata.
        path (Path): The file to write.

    Raises:
        ValueError: The sizes are dynamic.
    """
    if metadata.dynamic:
        raise ValueError(f'{path.name}: a TorchScript file has a fixed size; for dynamic sizes use .onnx, .pt2 or .xml')
    images = example_images(metadata)
    with quiet(), torch.no_grad():
        # torch.export first: direct tracing turns sizes into tensors, but the layers need integers
        program = torch.export.export(model, (images, ))
        traced = torch.jit.trace(program.module(), images, check_trace=False)
        _write(path, lambda file: torch.jit.save(traced, file, _extra_files=metadata.to_strings()))


def export_pt2(model: ExportModel, metadata: ModelMetadata, path: Path) -> None:
    """Write a ``torch.export`` program; each metadata field is an extra file.

    Args:
        model (ExportModel): The model.
        metadata (ModelMetadata): Its metadata.
        path (Path): The file to write.
    """
    with quiet(), torch.no_grad():
        program = torch.export.export(model, (example_images(metadata), ), dynamic_shapes=dynamic_shapes(metadata))
        _write(path, lambda file: torch.export.save(program, file, extra_files=metadata.to_strings()))


def _write(path: Path, save: Callable[[IO[bytes]], None]) -> None:
    """Write through memory, because PyTorch's own writer aborts the process when the disk is full."""
    content = io.BytesIO()
    save(content)
    path.write_bytes(content.getbuffer())
