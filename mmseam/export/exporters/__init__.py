"""Exporters by file suffix."""
from .onnx_exporter import export_onnx
from .openvino_exporter import export_openvino
from .torch_exporters import export_pt2, export_torchscript

EXPORTERS = {
    '.onnx': export_onnx,
    '.torchscript': export_torchscript,
    '.pt2': export_pt2,
    '.xml': export_openvino,
}
WITH_NMS = ('.onnx', '.xml')

__all__ = ['EXPORTERS', 'WITH_NMS', 'export_onnx', 'export_openvino', 'export_pt2', 'export_torchscript']
