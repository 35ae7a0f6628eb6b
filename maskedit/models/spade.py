"""SPADE (Park et al., "Semantic Image Synthesis with Spatially-Adaptive Normalization", CVPR 2019), for comparisons.

The label map enters at every resolution, as scale and shift of the normalised features; the photo enters once, as the
tensor the generator starts from. What the paper has and this has not, so that only the conditioning differs from the
other variants (all share one discriminator and its losses):
- no spectral normalisation and no KL term: the style code is a plain function, not a sample;
- parameter-free INSTANCE normalisation inside SPADE, not synchronised batch normalisation: our batches are small;
- the encoder sees the photo's own label map too, as MaskGAN's does, and has no normalisation, which would take a
  photo's brightness and colour away;
- the start tensor is 4x4 whatever the side, then resized: one network serves every side.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.models.config import DmnConfig
from maskedit.models.dense_mapping import Generator
from maskedit.models.layers import initialise, instance_norm

GRID = 4
"""Side of the tensors the encoder ends in and the generator starts from."""
SLOPE = 0.2
"""Of the leaky ReLUs."""


class Spade(nn.Module):
    """``instance_norm(x) * (1 + scale(labels)) + shift(labels)`` (Eq. 1), through ``hidden`` shared channels."""

    def __init__(self, channels: int, labels: int, hidden: int):
        super().__init__()
        self.shared = nn.Conv2d(labels, hidden, 3, padding=1)
        self.scale = nn.Conv2d(hidden, channels, 3, padding=1)
        self.shift = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """x: (N, C, H, W); labels: (N, 19, H, W), one-hot."""
        y = F.relu(self.shared(labels))
        return instance_norm(x) * (1 + self.scale(y)) + self.shift(y)


class SpadeResidualBlock(nn.Module):
    """Shortcut + f(x) with two [SPADE, leaky ReLU, 3x3 convolution]; the shortcut is learnt where the width changes."""

    def __init__(self, before: int, after: int, labels: int, hidden: int):
        super().__init__()
        middle = min(before, after)
        self.norm1 = Spade(before, labels, hidden)
        self.conv1 = nn.Conv2d(before, middle, 3, padding=1)
        self.norm2 = Spade(middle, labels, hidden)
        self.conv2 = nn.Conv2d(middle, after, 3, padding=1)
        self.shortcut_norm = Spade(before, labels, hidden) if before != after else None
        self.shortcut = nn.Conv2d(before, after, 1, bias=False) if before != after else None

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """x: (N, before, H, W); labels: (N, 19, H, W), one-hot; gives (N, after, H, W)."""
        y = self.conv1(F.leaky_relu(self.norm1(x, labels), SLOPE))
        y = self.conv2(F.leaky_relu(self.norm2(y, labels), SLOPE))
        return y + (x if self.shortcut is None else self.shortcut(self.shortcut_norm(x, labels)))


class ImageEncoder(nn.Module):
    """(photo (N, 3, H, W) in [-1, 1], one-hot labels (N, 19, H, W)) -> style code (N, style_values).

    Five strided convolutions, the mean in each cell of a 4x4 grid, a linear layer.
    """

    MULTIPLES = (1, 2, 4, 8, 8)

    def __init__(self, config: DmnConfig):
        super().__init__()
        widths = [3 + config.labels, *(multiple * config.width for multiple in self.MULTIPLES)]
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(widths))
        self.head = nn.Linear(widths[-1] * GRID**2, config.style_values)

    def forward(self, photo: Tensor, labels: Tensor) -> Tensor:
        x = torch.cat([photo, labels], dim=1)
        for conv in self.down:
            x = F.leaky_relu(conv(x), SLOPE)
        return self.head(F.adaptive_avg_pool2d(x, GRID).flatten(1))


class SpadeGenerator(Generator):
    """Seven SPADE blocks from a thirty-second of the side to all of it; the variant ``spade``."""

    MULTIPLES = (16, 16, 16, 8, 4, 2, 1)
    """Channels after each block, in widths."""
    HALVINGS = (5, 4, 4, 3, 2, 1, 0)
    """Of the label map's side, where each block works."""

    def __init__(self, config: DmnConfig):
        super().__init__()
        self.config = config
        widths = [multiple * config.width for multiple in (self.MULTIPLES[0], *self.MULTIPLES)]
        self.encoder = ImageEncoder(config)
        self.start = nn.Linear(config.style_values, widths[0] * GRID**2)
        self.blocks = nn.ModuleList(
            SpadeResidualBlock(before, after, config.labels, 2 * config.width) for before, after in pairwise(widths)
        )
        self.head = nn.Conv2d(widths[-1], 3, 3, padding=1)
        initialise(self)

    def style(self, photo: Tensor, reference_labels: Tensor) -> Tensor:
        """Style code (N, 256) of a photo (N, 3, H, W) in [-1, 1] and its one-hot labels (N, 19, H, W)."""
        return self.encoder(photo, reference_labels)

    def generate(self, labels: Tensor, style: Tensor) -> Tensor:
        """Image (N, 3, H, W) in [-1, 1] from one-hot labels (N, 19, H, W), H and W at least 32."""
        x = self.start(style).unflatten(1, (-1, GRID, GRID))  # (N, 16 width, 4, 4)
        x = F.interpolate(x, _halved(labels, self.HALVINGS[0]), mode="bilinear")
        for block, halvings in zip(self.blocks, self.HALVINGS, strict=True):
            size = _halved(labels, halvings)
            x = block(F.interpolate(x, size), F.interpolate(labels, size))
        return torch.tanh(self.head(F.leaky_relu(x, SLOPE)).float())


def _halved(labels: Tensor, times: int) -> tuple[int, int]:
    """Height and width, rounded up, and at least 2: of a single pixel, instance normalisation leaves nothing."""
    height, width = (max(2, -(-side // 2**times)) for side in labels.shape[2:])
    return height, width
