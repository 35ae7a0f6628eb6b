"""Alpha Blender (MaskGAN, Lee et al., CVPR 2020, section 3.3): blends two renders of perturbed label maps.

The Dense Mapping Network's backbone with three halvings and plain residual blocks, ending in a sigmoid. Only training
uses it (Algorithm 1): blended, the two renders must look like the photo whose label map lies between theirs. With
width 32 it has 4,329,443 parameters.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.models.config import AlphaBlenderConfig
from maskedit.models.layers import ReflectConv2d, initialise, instance_norm


class ResidualBlock(nn.Module):
    """x + f(x) with two 3x3 convolutions, each followed by instance normalisation; no ReLU after the sum."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = ReflectConv2d(channels, channels, 3, padding=1)
        self.conv2 = ReflectConv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(instance_norm(self.conv1(x)))
        return x + instance_norm(self.conv2(y))


class AlphaBlender(nn.Module):
    """Two images -> their blend."""

    def __init__(self, config: AlphaBlenderConfig):
        super().__init__()
        self.config = config
        widths = [config.width * 2**level for level in range(4)]
        self.stem = ReflectConv2d(6, widths[0], 7, padding=3)
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(widths))
        self.blocks = nn.ModuleList(ResidualBlock(widths[-1]) for _ in range(config.blocks))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 3, stride=2, padding=1, output_padding=1)
            for coarse, fine in pairwise(reversed(widths))
        )
        self.head = ReflectConv2d(widths[0], 3, 7, padding=3)
        initialise(self)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """alpha * first + (1 - alpha) * second, and alpha.

        Args:
            first, second: (N, 3, H, W) in [-1, 1]; H and W multiples of 8, at least 16.

        Returns:
            blend (N, 3, H, W) in [-1, 1] and alpha (N, 3, H, W) in [0, 1], a share per channel; both float32.
        """
        x = F.relu(instance_norm(self.stem(torch.cat([first, second], dim=1))))
        for conv in self.down:
            x = F.relu(instance_norm(conv(x)))
        for block in self.blocks:
            x = block(x)
        for conv in self.up:
            x = F.relu(instance_norm(conv(x)))
        alpha = torch.sigmoid(self.head(x).float())  # (N, 3, H, W)
        return torch.lerp(second.float(), first.float(), alpha), alpha
