"""What PyTorch's two kinds of exported files have in common."""
import dataclasses
import zipfile
from abc import abstractmethod
from typing import Callable, Dict, Mapping

import numpy as np

from ..metadata import ModelMetadata
from .base import Backend, Outputs
from .errors import ExportedModelError


class TorchBackend(Backend):
    """A file that PyTorch itself runs; the arguments are those of :class:`Backend`.

    ``num_threads`` holds for all of PyTorch in this process; without it nothing is changed.
    """

    library = 'torch'

    def _load(self) -> Mapping[str, str]:
        import torch
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
        import torch
        with torch.inference_mode():
            first, second = self.module(torch.from_numpy(images).to(self.device))
        return first.cpu().numpy(), second.cpu().numpy()
