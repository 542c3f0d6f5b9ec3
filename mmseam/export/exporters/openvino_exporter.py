"""Export to OpenVINO."""
from pathlib import Path

from mmseam.inference.metadata import ModelMetadata
from mmseam.utils.optional_package import require_package

from ..export_model import ExportModel
from .onnx_exporter import export_onnx
from .tracing import quiet

RT_INFO_SECTION = 'mmseam'


def export_openvino(model: ExportModel, metadata: ModelMetadata, path: Path) -> None:
    """Write a float32 OpenVINO model, ``.xml`` and ``.bin``, converted from ONNX.

    The metadata are stored in section ``mmseam`` of ``rt_info``.

    Args:
        model (ExportModel): The model.
        metadata (ModelMetadata): Its metadata.
        path (Path): The ``.xml`` file to write.

    Raises:
        ModuleNotFoundError: The packages of the extra ``deploy`` are not installed.
    """
    openvino = require_package('openvino')
    onnx_file = path.with_suffix('.onnx')
    export_onnx(model, metadata, onnx_file)
    try:
        with quiet():
            converted = openvino.convert_model(str(onnx_file))
            for name, text in metadata.to_strings().items():
                converted.set_rt_info(text, [RT_INFO_SECTION, name])
            openvino.save_model(converted, str(path), compress_to_fp16=False)
    finally:
        onnx_file.unlink()
