"""Run exported files with PyTorch: TorchScript and torch.export.

These files are programs, which PyTorch does not sandbox: loading one is like running a script of its author. From
unknown sources, use ONNX files.
"""
import dataclasses
import zipfile
from abc import abstractmethod
from typing import Callable, Dict, Mapping

import numpy as np
import torch

from ..metadata import ModelMetadata
from .exported import ExportedBackend, ExportedModelError, Outputs


class TorchBackend(ExportedBackend):
    """Base of the PyTorch backends; see :class:`ExportedBackend` for the arguments.

    ``num_threads`` applies to all of PyTorch in this process; None changes nothing.
    """

    library = 'torch'

    def _load(self) -> Mapping[str, str]:
        if self.num_threads is not None:
            torch.set_num_threads(self.num_threads)
        if not zipfile.is_zipfile(self.path):  # PyTorch would log a full page before raising
            raise ExportedModelError(f'{self.path} is damaged: it is not a complete archive; export it again')
        texts = {field.name: '' for field in dataclasses.fields(ModelMetadata)}
        self.module = self._open(texts)
        return {name: text for name, text in texts.items() if text}

    @abstractmethod
    def _open(self, extra_files: Dict[str, str]) -> Callable:
        """Load the module onto the device, and fill the dict with the archive's extra files of these names."""

    def _run(self, images: np.ndarray) -> Outputs:
        with torch.inference_mode():
            first, second = self.module(torch.from_numpy(images).to(self.device))
        return first.cpu().numpy(), second.cpu().numpy()


class TorchScriptBackend(TorchBackend):
    """Backend of TorchScript archives; see :class:`TorchBackend` for the arguments."""

    def _open(self, extra_files: Dict[str, str]) -> Callable:
        return torch.jit.load(str(self.path), map_location=self.device, _extra_files=extra_files).eval()


class TorchExportBackend(TorchBackend):
    """Backend of ``.pt2`` archives of ``torch.export.save``; see :class:`TorchBackend` for the arguments."""

    def _open(self, extra_files: Dict[str, str]) -> Callable:
        program = torch.export.load(str(self.path), extra_files=extra_files)
        if self.device.type != 'cpu':
            from torch.export.passes import move_to_device_pass  # requires PyTorch 2.7 or newer
            program = move_to_device_pass(program, self.device)
        return program.module()
