"""Post-training 8-bit quantization with onnxruntime."""
from collections import defaultdict
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Union

import numpy as np

from mmseam.inference.backends import load_backend
from mmseam.utils.atomic_write import atomic_files
from mmseam.utils.optional_package import require_package

from .exporters.tracing import quiet

# Includes the operators between convolutions; otherwise each convolution would dequantize and requantize
QUANTIZED_OPERATORS = ('Conv', 'Sigmoid', 'Mul', 'Add', 'Concat', 'MaxPool', 'Resize', 'Split')

# Number of convolutions after the first one in YOLO11's box branch
HEAD_DEPTH = 2


def quantize_onnx(source: Union[str, Path], out_file: Union[str, Path], images: Iterable[np.ndarray]) -> int:
    """Quantize an exported ONNX file.

    Weights are quantized per output channel to 8 bits, of which 7 are used, because products of full 8-bit values
    saturate on processors without VNNI. Activations are quantized to 8 bits with ranges calibrated on the images. The
    end of the head and the decoding (see :func:`float_nodes`) stay in float: boxes need more than 8 bits, especially
    those of small objects (with only the predictors in float, a WIDER FACE model lost half its AP75).

    Args:
        source (str or Path): The exported ``.onnx`` file.
        out_file (str or Path): The file to write, with the same metadata.
        images (Iterable[np.ndarray]): About a hundred representative BGR images (H, W, 3), uint8, for calibration.

    Returns:
        int: Number of calibration images used.

    Raises:
        ValueError: There are no images.
        ModuleNotFoundError: The packages ``onnx`` and ``onnxruntime`` are not installed.
    """
    onnx = require_package('onnx')
    quantization = require_package('onnxruntime.quantization')
    backend = load_backend(source, rect=False)
    model = onnx.load(str(source))
    reader = _image_reader(quantization.CalibrationDataReader, images, backend.preprocessor)
    with atomic_files(out_file) as staged, quiet():
        quantization.quantize_static(
            model, staged, reader, quant_format=quantization.QuantFormat.QDQ, per_channel=True, reduce_range=True,
            op_types_to_quantize=list(QUANTIZED_OPERATORS), activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8, nodes_to_exclude=float_nodes(model))
        quantized = onnx.load(str(staged))
        onnx.helper.set_model_props(quantized, backend.metadata.to_strings())
        onnx.save(quantized, str(staged))
    return reader.number


def float_nodes(model) -> List[str]:
    """Name the nodes that stay in float: the box branch, the predictors and the decoding.

    These are the nodes followed by at most ``HEAD_DEPTH`` convolutions.

    Args:
        model (onnx.ModelProto): The model.

    Returns:
        list[str]: Names of the nodes.
    """
    consumers: Dict[str, list] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            consumers[name].append(node)
    num_convs_after: Dict[str, int] = {}
    for node in reversed(model.graph.node):
        num_convs_after[node.name] = max(((consumer.op_type == 'Conv') + num_convs_after[consumer.name]
                                          for name in node.output for consumer in consumers[name]), default=0)
    return [name for name, number in num_convs_after.items() if number <= HEAD_DEPTH]


def _image_reader(base: type, images: Iterable[np.ndarray], preprocess: Callable):
    """Create onnxruntime's reader of calibration images; its base class exists only with the package installed."""

    class ImageReader(base):

        def __init__(self) -> None:
            self.number = 0
            self._images = iter(images)

        def get_next(self) -> Optional[Dict[str, np.ndarray]]:
            image = next(self._images, None)
            if image is None:
                if not self.number:
                    raise ValueError('there are no images to calibrate with')
                return None
            self.number += 1
            return dict(images=preprocess([image]).inputs)

    return ImageReader()
