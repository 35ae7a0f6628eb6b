"""Two PatchGAN discriminators at full and half resolution (pix2pixHD; MaskGAN section 3.1, Eq. 7-8)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.labels import NUM_LABELS
from maskedit.models.layers import initialise, instance_norm


class PatchDiscriminator(nn.Module):
    """(N, channels, H, W) -> four feature maps and one logit map; 70-pixel patches."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        widths = [channels, width, width * 2, width * 4, width * 8]
        strides = [2, 2, 2, 1]
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride, padding=2)
            for before, after, stride in zip(widths[:-1], widths[1:], strides, strict=True)
        )
        self.head = nn.Conv2d(widths[-1], 1, 4, 1, padding=2)

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = []
        for index, conv in enumerate(self.convs):
            x = conv(x)
            x = F.leaky_relu(x if index == 0 else instance_norm(x), 0.2)
            outputs.append(x)
        outputs.append(self.head(x))
        return outputs


class MultiscaleDiscriminator(nn.Module):
    """Judges an image together with the label map it should show.

    Args:
        width: channels of the first convolution (paper: 64).
    """

    def __init__(self, width: int = 64, labels: int = NUM_LABELS):
        super().__init__()
        self.width = width
        self.fine = PatchDiscriminator(labels + 3, width)
        self.coarse = PatchDiscriminator(labels + 3, width)
        initialise(self)

    def forward(self, labels: Tensor, image: Tensor) -> list[list[Tensor]]:
        """One-hot labels (N, 19, H, W), image (N, 3, H, W) in [-1, 1] -> per scale, full resolution first, the four
        feature maps and, last, the logits (N, 1, h, w)."""
        x = torch.cat([labels, image.to(labels.dtype)], dim=1)
        return [self.fine(x), self.coarse(F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False))]
