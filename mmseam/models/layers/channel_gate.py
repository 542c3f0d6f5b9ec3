"""The gate of SEAM and MultiSEAM."""
import torch
import torch.nn as nn
from mmengine.model import BaseModule
from torch import Tensor

from .initialization import reset_parameters_of_children


class ExponentialChannelGate(BaseModule):
    r"""Excitation of SEAM: :math:`g = e^{\sigma(W_2\,\mathrm{ReLU}(W_1 p))}`, one gain per channel.

    ``fc``, sigmoid and exponential of YOLO-FaceV2 (arXiv 2208.02019, section 3.3). The gain lies in [1, e] and is the
    same for every pixel of a channel, so this is channel attention, not spatial attention.

    Args:
        in_channels (int): Channels of the pooled descriptor.
        reduction (int): Channels are squeezed to ``max(in_channels // reduction, 1)``. Defaults to 16.
        identity_init (bool): Start as the identity: the last layer starts at zero and the gain is divided by
            :math:`e^{1/2}`, which moves its range to [e^-0.5, e^0.5]. At the article's initialisation the mean gain is
            1.65, which disturbs a pretrained network. Defaults to False.
    """

    def __init__(self, in_channels: int, reduction: int = 16, identity_init: bool = False) -> None:
        super().__init__()
        mid_channels = max(in_channels // reduction, 1)  # the article's `c // 16` is an empty layer below 16 channels
        self.fc1 = nn.Linear(in_channels, mid_channels, bias=False)
        self.fc2 = nn.Linear(mid_channels, in_channels, bias=False)
        self.identity_init = identity_init
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as PyTorch does, the last layer with zeros if ``identity_init``."""
        reset_parameters_of_children(self)
        if self.identity_init:
            nn.init.zeros_(self.fc2.weight)

    def forward(self, x: Tensor, descriptor: Tensor) -> Tensor:
        """Scale the channels of ``x``.

        Args:
            x (Tensor): Map of shape (B, C, H, W).
            descriptor (Tensor): Pooled vectors of shape (B, C).

        Returns:
            Tensor: Scaled map of shape (B, C, H, W) in the dtype of ``x``.
        """
        gate = self.fc2(torch.relu(self.fc1(descriptor))).sigmoid()
        gain = torch.exp(gate - 0.5 if self.identity_init else gate)
        # Autocast runs exp in float32; without the cast the whole map would be promoted.
        return x * gain.to(x.dtype)[:, :, None, None]
