"""Post-training quantization to 8 bits by onnxruntime."""
from collections import defaultdict
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Union

import numpy as np

from mmseam.inference.backends import load_backend
from mmseam.utils.atomic_write import atomic_files
from mmseam.utils.optional_package import require_package

from .exporters.tracing import quiet

# What lies between convolutions; without them each convolution would change to float and back
QUANTIZED_OPERATORS = ('Conv', 'Sigmoid', 'Mul', 'Add', 'Concat', 'MaxPool', 'Resize', 'Split')

# So many convolutions follow the first one of YOLO11's box branch
HEAD_DEPTH = 2


def quantize_onnx(source: Union[str, Path], out_file: Union[str, Path], images: Iterable[np.ndarray]) -> int:
    """Quantize an exported ONNX file.

    Weights get 8 bits per output channel, of which 7 are used, since products of full ones saturate on processors
    without VNNI; activations get 8 bits, their ranges from the images. The end of the head (see :func:`float_nodes`)
    and what follows it stay in float: boxes need more than 8 bits, those of small objects most of all (with only the
    predictors in float, a WIDER FACE net lost half its AP75).

    Args:
        source (str or Path): The exported ``.onnx`` file.
        out_file (str or Path): The file to write, with the same metadata.
        images (Iterable[np.ndarray]): BGR images (H, W, 3), uint8, like those the model will see; a hundred or so.

    Returns:
        int: Number of images used.

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
    """Names of the nodes behind which there are few convolutions: the box branch, the predictors and the decoding.

    Args:
        model (onnx.ModelProto): The model.

    Returns:
        list[str]: The names.
    """
    readers: Dict[str, list] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node)
    following: Dict[str, int] = {}
    for node in reversed(model.graph.node):
        following[node.name] = max(((reader.op_type == 'Conv') + following[reader.name]
                                    for name in node.output for reader in readers[name]), default=0)
    return [name for name, number in following.items() if number <= HEAD_DEPTH]


def _image_reader(base: type, images: Iterable[np.ndarray], prepare: Callable):
    """What onnxruntime asks for calibration images; its base class is known only once the package is there."""

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
            return dict(images=prepare([image]).inputs)

    return ImageReader()
