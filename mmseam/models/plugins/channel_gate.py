"""The gate of SEAM and MultiSEAM."""
import torch
import torch.nn as nn
from mmengine.model import BaseModule
from torch import Tensor

from ..utils.initialization import reset_parameters_of_children


class ExponentialChannelGate(BaseModule):
    r"""Excitation of SEAM: :math:`g = e^{\sigma(W_2\,\mathrm{ReLU}(W_1 p))}`, one gain per channel.

    ``fc``, sigmoid and exponential of YOLO-FaceV2 (arXiv 2208.02019, section 3.3). The gain lies in [1, e] and is the
    same for every pixel of a channel, so this is channel attention, not spatial attention.

    Args:
        in_channels (int): Channels of the pooled descriptor.
        reduction (int): Channels are squeezed to ``max(in_channels // reduction, 1)``. Defaults to 16.
        identity_init (bool): Start as the identity: the last layer starts at zero and the gain is divided by
            :math:`e^{1/2}`, which moves its range to [e^-0.5, e^0.5]. The published initialization has a mean gain
            of 1.65, which disturbs a pretrained network. Defaults to False.
    """

    def __init__(self, in_channels: int, reduction: int = 16, identity_init: bool = False) -> None:
        super().__init__()
        # The published `c // 16` gives an empty layer below 16 channels.
        mid_channels = max(in_channels // reduction, 1)
        self.fc1 = nn.Linear(in_channels, mid_channels, bias=False)
        self.fc2 = nn.Linear(mid_channels, in_channels, bias=False)
        self.identity_init = identity_init
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize as PyTorch does, the last layer with zeros if ``identity_init``."""
        reset_parameters_of_children(self)
        if self.identity_init:
            nn.init.zeros_(self.fc2.weight)

    def forward(self, descriptor: Tensor) -> Tensor:
        """Compute the gains.

        Args:
            descriptor (Tensor): Pooled vectors of shape (B, C).

        Returns:
            Tensor: Gains of shape (B, C).
        """
        gate = self.fc2(torch.relu(self.fc1(descriptor))).sigmoid()
        return torch.exp(gate - 0.5 if self.identity_init else gate)

    @torch.no_grad()
    def absorb_affine(self, scales: Tensor, shift: Tensor) -> None:
        """Fold affine transforms of the pooled vectors into the first layer, for inference.

        The gate of the sum of k vectors, each scaled, plus a shift becomes the gate of the k vectors, concatenated.

        Args:
            scales (Tensor): Scale of each channel of each vector, shape (k, C).
            shift (Tensor): Shift of each channel, shape (C,).
        """
        weight = self.fc1.weight
        absorbed = nn.Linear(scales.numel(), weight.size(0), device=weight.device, dtype=weight.dtype)
        absorbed.weight.copy_((weight[:, None] * scales).flatten(1))
        absorbed.bias.copy_(weight @ shift)
        self.fc1 = absorbed


def scale_channels(x: Tensor, gain: Tensor) -> Tensor:
    """Multiply the channels of a map.

    Args:
        x (Tensor): Map of shape (B, C, H, W).
        gain (Tensor): Factors of shape (B, C).

    Returns:
        Tensor: Scaled map of shape (B, C, H, W) in the dtype of ``x``.
    """
    # Autocast runs exp in float32; without the cast the whole map would be promoted.
    return x * gain.to(x.dtype)[:, :, None, None]
