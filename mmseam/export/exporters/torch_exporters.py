"""Files that PyTorch reads without this repository."""
import io
from pathlib import Path
from typing import IO, Callable

import torch

from mmseam.inference.metadata import ModelMetadata

from ..export_model import ExportModel
from .tracing import dynamic_shapes, example_images, quiet


def export_torchscript(model: ExportModel, metadata: ModelMetadata, path: Path) -> None:
    """Write a TorchScript file of a fixed size; the metadata are its extra files, one per field.

    Args:
        model (ExportModel): The network.
        metadata (ModelMetadata): Its metadata.
        path (Path): The file to write.

    Raises:
        ValueError: The sizes are free.
    """
    if metadata.dynamic:
        raise ValueError(f'{path.name}: a TorchScript file has a fixed size; for free sizes export .onnx, .pt2 or .xml')
    images = example_images(metadata)
    with quiet(), torch.no_grad():
        # By way of torch.export: tracing turns sizes into tensors, with which layers cannot compute as with numbers
        program = torch.export.export(model, (images, ))
        traced = torch.jit.trace(program.module(), images, check_trace=False)
        _write(path, lambda file: torch.jit.save(traced, file, _extra_files=metadata.to_strings()))


def export_pt2(model: ExportModel, metadata: ModelMetadata, path: Path) -> None:
    """Write a program of ``torch.export``; the metadata are its extra files, one per field.

    Args:
        model (ExportModel): The network.
        metadata (ModelMetadata): Its metadata.
        path (Path): The file to write.
    """
    with quiet(), torch.no_grad():
        program = torch.export.export(model, (example_images(metadata), ), dynamic_shapes=dynamic_shapes(metadata))
        _write(path, lambda file: torch.export.save(program, file, extra_files=metadata.to_strings()))


def _write(path: Path, save: Callable[[IO[bytes]], None]) -> None:
    """Write by way of memory: PyTorch ends the process when a disk is full under its own writer."""
    content = io.BytesIO()
    save(content)
    path.write_bytes(content.getbuffer())
