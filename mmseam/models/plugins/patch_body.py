"""The branches of MultiSEAM."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from mmdet.utils import ConfigType
from mmengine.model import BaseModule
from torch import Tensor

from .separable_conv import ConvActNorm, ResidualSeparableConv


class PatchBody(BaseModule):
    """One branch of MultiSEAM: a patch embedding followed by separable convolutions.

    Args:
        in_channels (int): Channels in and out.
        patch_size (int): Kernel size and stride of the embedding.
        depth (int): Number of separable convolutions.
        kernel_size (int): Kernel size of their depthwise part.
        patch_groups (int): Groups of the embedding.
        pad_to_patch (bool): Pad the map to a multiple of the patch.
        norm_cfg (:obj:`ConfigDict` or dict): Normalization layer.
        act_cfg (:obj:`ConfigDict` or dict): Activation layer.
    """

    def __init__(self, in_channels: int, patch_size: int, depth: int, kernel_size: int, patch_groups: int,
                 pad_to_patch: bool, norm_cfg: ConfigType, act_cfg: ConfigType) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.pad_to_patch = pad_to_patch
        self.patch_embed = ConvActNorm(
            in_channels, patch_size, stride=patch_size, groups=patch_groups, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.blocks = nn.Sequential(
            *[ResidualSeparableConv(in_channels, kernel_size, norm_cfg, act_cfg) for _ in range(depth)])

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the average of its tokens, (B, C)."""
        if torch.jit.is_tracing() or all(isinstance(size, int) for size in x.shape[2:]):
            return self.blocks(self.patch_embed(self._pad(x))).mean((2, 3))
        return self._forward_symbolic(x)

    def _num_tokens(self, size: int) -> int:
        """Count the tokens along a side: whole patches, at least one."""
        if self.pad_to_patch:
            return -(-size // self.patch_size)
        return torch.sym_max(size // self.patch_size, 1)

    def _pad(self, x: Tensor) -> Tensor:
        sizes = [int(size) for size in x.shape[2:]]  # tensors while TorchScript is traced
        bottom, right = (max(self._num_tokens(size) * self.patch_size - size, 0) for size in sizes)
        return F.pad(x, (0, right, 0, bottom)) if bottom or right else x

    def _forward_symbolic(self, x: Tensor) -> Tensor:
        """Compute the same for symbolic sizes (``torch.export``), without a guard on any of them.

        The tracer would specialize on a side of one token. So the map is padded to at least two tokens, and the extra
        tokens are masked to zero, the value that the convolutions pad with.
        """
        margin = 2 * self.patch_size - 1
        tokens = self.patch_embed(F.pad(x, (0, margin, 0, margin)))
        rows, columns = (self._num_tokens(size) for size in x.shape[2:])
        inside = ((torch.arange(tokens.size(2), device=x.device) < rows)[:, None]
                  & (torch.arange(tokens.size(3), device=x.device) < columns)).to(x.dtype)
        for block in self.blocks:
            tokens = block(tokens * inside)
        return (tokens * inside).sum((2, 3)) / inside.sum()
