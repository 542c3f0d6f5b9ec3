"""Programs of torch.export."""
from typing import Callable, Dict

from .torch_backend import TorchBackend


class TorchExportBackend(TorchBackend):
    """A ``.pt2`` archive of ``torch.export.save``; the arguments are those of :class:`TorchBackend`."""

    def _open(self, extra_files: Dict[str, str]) -> Callable:
        import torch
        program = torch.export.load(str(self.path), extra_files=extra_files)
        if self.device != 'cpu':
            from torch.export.passes import move_to_device_pass
            program = move_to_device_pass(program, self.device)
        return program.module()
