"""Export to ONNX."""
from pathlib import Path

import torch

from mmseam.inference.metadata import ModelMetadata
from mmseam.utils.optional_package import require_package

from ..export_model import ExportModel
from .nms_graph import append_nms
from .tracing import dynamic_shapes, example_images, quiet

# The first opset with a GELU operator
OPSET = 20


def export_onnx(model: ExportModel, metadata: ModelMetadata, path: Path) -> None:
    """Write an ONNX file with the input ``images``.

    Its outputs are ``boxes`` and ``scores`` as in :class:`ExportModel`, or with ``metadata.has_nms`` those of
    :func:`append_nms`. The metadata are stored in ``metadata_props``.

    Args:
        model (ExportModel): The model.
        metadata (ModelMetadata): Its metadata.
        path (Path): The file to write.

    Raises:
        ModuleNotFoundError: The packages ``onnx`` and ``onnxscript`` are not installed.
    """
    onnx = require_package('onnx')
    require_package('onnxscript')
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            model, (example_images(metadata), ), dynamo=True, verbose=False, opset_version=OPSET,
            input_names=['images'], output_names=['boxes', 'scores'], dynamic_shapes=dynamic_shapes(metadata))
    graph = program.model_proto
    _remove_node_metadata(graph)
    if metadata.has_nms:
        graph = append_nms(graph, metadata.test_cfg)
    onnx.helper.set_model_props(graph, metadata.to_strings())
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, str(path))


def _remove_node_metadata(model) -> None:
    """Remove the exporter's metadata of each node: stack traces with local paths."""
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info,
                 *model.graph.initializer, model.graph, model):
        del part.metadata_props[:]
