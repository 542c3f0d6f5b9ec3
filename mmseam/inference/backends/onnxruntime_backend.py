"""Run ONNX files with onnxruntime."""
import warnings
from typing import List, Mapping

import numpy as np

from mmseam.utils.optional_package import require_package

from .cpu_cores import available_cores
from .exported import ExportedBackend, Outputs


class OnnxRuntimeBackend(ExportedBackend):
    """Backend of ONNX models; see :class:`ExportedBackend` for the arguments.

    Without ``num_threads`` it uses all physical cores available to the process. A CUDA device needs onnxruntime-gpu;
    without it the model runs on the CPU with a warning.
    """

    library = 'onnxruntime'

    def _load(self) -> Mapping[str, str]:
        onnxruntime = require_package('onnxruntime')
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = self.num_threads or available_cores()
        self.cores = 1 if self.device.type == 'cuda' else options.intra_op_num_threads
        # Threads that spin between runs would slow down decoding, resizing and NMS
        options.add_session_config_entry('session.force_spinning_stop', '1')
        providers = self._providers(onnxruntime.get_available_providers())
        self.session = onnxruntime.InferenceSession(str(self.path), options, providers=providers)
        return self.session.get_modelmeta().custom_metadata_map

    def _run(self, images: np.ndarray) -> Outputs:
        first, second = self.session.run(None, {'images': images})
        return first, second

    def _providers(self, available: List[str]) -> list:
        if self.device.type != 'cuda':
            return ['CPUExecutionProvider']
        if 'CUDAExecutionProvider' not in available:
            warnings.warn(f'{self.path} runs on the CPU: this onnxruntime has no CUDA; install onnxruntime-gpu '
                          'instead', stacklevel=2)
            return ['CPUExecutionProvider']
        device_id = self.device.index or 0
        return [('CUDAExecutionProvider', dict(device_id=device_id)), 'CPUExecutionProvider']
