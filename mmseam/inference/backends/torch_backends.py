"""Exported files that PyTorch itself runs: TorchScript and torch.export.

Such a file is a program, and PyTorch does not confine it: loading one is as running a script of its author. Take ONNX
files from people that you do not know.
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
    """A program that PyTorch itself runs; the arguments are those of :class:`ExportedBackend`.

    ``num_threads`` holds for all of PyTorch in this process; without it nothing is changed.
    """

    library = 'torch'

    def _load(self) -> Mapping[str, str]:
        if self.num_threads is not None:
            torch.set_num_threads(self.num_threads)
        if not zipfile.is_zipfile(self.path):  # PyTorch would log a page before its own error
            raise ExportedModelError(f'{self.path} is damaged: it is no whole archive; export it again')
        texts = {field.name: '' for field in dataclasses.fields(ModelMetadata)}
        self.module = self._open(texts)
        return {name: text for name, text in texts.items() if text}

    @abstractmethod
    def _open(self, extra_files: Dict[str, str]) -> Callable:
        """Load the module onto the device, and the archive's extra files of these names into the dict."""

    def _run(self, images: np.ndarray) -> Outputs:
        with torch.inference_mode():
            first, second = self.module(torch.from_numpy(images).to(self.device))
        return first.cpu().numpy(), second.cpu().numpy()


class TorchScriptBackend(TorchBackend):
    """A TorchScript archive; the arguments are those of :class:`TorchBackend`."""

    def _open(self, extra_files: Dict[str, str]) -> Callable:
        return torch.jit.load(str(self.path), map_location=self.device, _extra_files=extra_files).eval()


class TorchExportBackend(TorchBackend):
    """A ``.pt2`` archive of ``torch.export.save``; the arguments are those of :class:`TorchBackend`."""

    def _open(self, extra_files: Dict[str, str]) -> Callable:
        program = torch.export.load(str(self.path), extra_files=extra_files)
        if self.device.type != 'cpu':
            from torch.export.passes import move_to_device_pass  # PyTorch 2.7 and newer have it
            program = move_to_device_pass(program, self.device)
        return program.module()
