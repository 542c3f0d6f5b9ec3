"""Export a detector to a verified file."""
import copy
from pathlib import Path
from typing import Iterable, Optional, Union

import numpy as np
from torch import nn

from mmseam.export.exporters import EXPORTERS, WITH_NMS
from mmseam.export.exporters.tracing import require_recent_pytorch
from mmseam.inference.metadata import ModelMetadata
from mmseam.models.fused import switch_to_deploy
from mmseam.utils.atomic_write import atomic_files

from .export_model import ExportModel
from .verification import Differences, verify_export


def export_detector(detector: nn.Module, metadata: ModelMetadata, out_file: Union[str, Path],
                    images: Optional[Iterable[np.ndarray]] = None) -> Differences:
    """Export a detector to a file that runs without this repository, and verify the file against PyTorch.

    Args:
        detector (nn.Module): The detector; it is not changed.
        metadata (ModelMetadata): Its metadata, including whether input sizes are dynamic and NMS is included.
        out_file (str or Path): The file to write; its suffix selects the format: ``.onnx``, ``.torchscript``, ``.pt2``
            (``torch.export``) or ``.xml`` (OpenVINO, with a ``.bin`` next to it).
        images (Iterable[np.ndarray], optional): BGR images (H, W, 3), uint8, to compare on. Defaults to None: synthetic
            images.

    Returns:
        Differences: The largest differences from PyTorch.

    Raises:
        ValueError: The suffix is unknown, or the format does not support NMS.
        TypeError: The head is not supported.
        VerificationError: The file differs from PyTorch; it is not kept.
        ModuleNotFoundError: A package of the extra ``deploy`` is not installed.
        ImportError: PyTorch is too old to export.
    """
    require_recent_pytorch()
    out_file = Path(out_file)
    exporter = EXPORTERS.get(out_file.suffix)
    if exporter is None:
        raise ValueError(f'{out_file}: the suffix must be one of {", ".join(EXPORTERS)}')
    if metadata.has_nms and out_file.suffix not in WITH_NMS:
        raise ValueError(f'{out_file}: NMS can be part of {" and ".join(WITH_NMS)} files only')
    size = None if metadata.dynamic else metadata.input_size
    plain = ExportModel(copy.deepcopy(detector).cpu(), size).eval().requires_grad_(False)
    model = ExportModel(switch_to_deploy(copy.deepcopy(plain.detector)), size).eval().requires_grad_(False)
    with atomic_files(out_file) as staged:
        exporter(model, metadata, staged)
        return verify_export(staged, plain, images)
