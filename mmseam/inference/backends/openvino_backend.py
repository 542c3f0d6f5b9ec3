"""Run OpenVINO models."""
import warnings
from typing import Mapping

import numpy as np

from mmseam.utils.optional_package import require_package

from .cpu_cores import available_cores
from .exported import ExportedBackend, Outputs


class OpenVINOBackend(ExportedBackend):
    """Backend of OpenVINO models (``.xml`` with ``.bin``) on the CPU; see :class:`ExportedBackend` for the arguments.

    It always computes in float32: the bfloat16 that OpenVINO prefers on some processors changes scores by percents.
    """

    library = 'openvino'

    def _load(self) -> Mapping[str, str]:
        openvino = require_package('openvino')
        if self.device.type != 'cpu':
            warnings.warn(f'{self.path} runs on the CPU: OpenVINO has no device {self.device}', stacklevel=2)
        core = openvino.Core()
        model = core.read_model(self.path)
        self.compiled = core.compile_model(model, 'CPU', {
            'PERFORMANCE_HINT': 'LATENCY',
            'INFERENCE_NUM_THREADS': self.num_threads or available_cores(),
            'INFERENCE_PRECISION_HINT': 'f32',
        })
        if not model.has_rt_info(['mmseam']):
            return {}
        return {name: str(text) for name, text in model.get_rt_info(['mmseam']).value.items()}

    def _run(self, images: np.ndarray) -> Outputs:
        results = self.compiled(images)
        return results[0], results[1]
