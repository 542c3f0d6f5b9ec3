"""1×1 convolution as a matrix product, for inference only."""
import torch
import torch.nn as nn
from torch import Tensor


class PointwiseConv(nn.Conv2d):
    """1×1 convolution that is computed as one matrix product on a CPU.

    A channels-last map already is a matrix with one row per position. On the maps of YOLO11n the product takes 0.5 to
    0.9 of the convolution's time, and a third where few channels become many. While a graph is traced or compiled, it
    stays a convolution.

    Args:
        conv (nn.Conv2d): The convolution, for which :meth:`is_supported` holds; its weights are shared.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv.in_channels, conv.out_channels, 1, bias=conv.bias is not None, device='meta')
        self.weight, self.bias = conv.weight, conv.bias
        self.train(conv.training)

    @staticmethod
    def is_supported(module: nn.Module) -> bool:
        """Return whether a module is a 1×1 convolution with stride 1, no padding and one group."""
        return (type(module) is nn.Conv2d and module.kernel_size == module.stride == (1, 1)
                and module.padding in (0, (0, 0), 'valid', 'same') and module.groups == 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H, W)."""
        if not _is_matrix(x):
            return super().forward(x)
        rows, weight = _rows(x), self.weight.flatten(1).t()
        rows = rows.mm(weight) if self.bias is None else torch.addmm(self.bias, rows, weight)
        return rows.view(x.size(0), x.size(2), x.size(3), -1).permute(0, 3, 1, 2)

    def add_to(self, total: Tensor, x: Tensor) -> Tensor:
        """Add the convolution of ``x``, without bias, to ``total`` (B, C', H, W) in place and return it."""
        if not (_is_matrix(x) and _is_matrix(total) and total.dtype == x.dtype == self.weight.dtype):  # else autocast
            return total.add_(super().forward(x))
        _rows(total).addmm_(_rows(x), self.weight.flatten(1).t())
        return total


def _rows(x: Tensor) -> Tensor:
    """View the map as one row per position, (B * H * W, C)."""
    return x.permute(0, 2, 3, 1).flatten(0, 2)


def _is_matrix(x: Tensor) -> bool:
    """Return whether a map is multiplied as a matrix: channels-last on a CPU, and no graph is traced or compiled."""
    # Before PyTorch 2.3 nobody can ask; the exports that exist there trace.
    compiler = getattr(torch, 'compiler', None)
    is_compiling = hasattr(compiler, 'is_compiling') and compiler.is_compiling()
    return (x.device.type == 'cpu' and not torch.jit.is_tracing() and not is_compiling
            and x.is_contiguous(memory_format=torch.channels_last))
