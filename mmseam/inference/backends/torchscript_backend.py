"""TorchScript files."""
from typing import Callable, Dict

from .torch_backend import TorchBackend


class TorchScriptBackend(TorchBackend):
    """A TorchScript archive; the arguments are those of :class:`TorchBackend`."""

    def _open(self, extra_files: Dict[str, str]) -> Callable:
        import torch
        return torch.jit.load(str(self.path), map_location=self.device, _extra_files=extra_files).eval()
