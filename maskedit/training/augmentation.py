"""DiffAugment (Zhao et al. 2020): what a discriminator sees is changed, so that it cannot learn few photos by heart.

Label map, image and hole are moved together; photos and completions are changed alike, so that their features can
still be compared.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_SHIFT = 0.125
"""Of the side."""


class DiffAugment:
    """One draw of changes for a batch: shifts, brightness, saturation and contrast.

    Args:
        count: photos in the batch.
        device: of the tensors.
    """

    def __init__(self, count: int, device: torch.device):
        def uniform(low: float, high: float, *shape: int) -> Tensor:
            return torch.rand(count, *shape, device=device) * (high - low) + low

        self.shift = uniform(-_SHIFT, _SHIFT, 2)
        self.brightness = uniform(-0.5, 0.5, 1, 1, 1)
        self.saturation = uniform(0.0, 2.0, 1, 1, 1)
        self.contrast = uniform(0.5, 1.5, 1, 1, 1)

    def colours(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> the same shape, beyond that range; differentiable."""
        image = image + self.brightness
        mean = image.mean(dim=1, keepdim=True)
        image = (image - mean) * self.saturation + mean
        mean = image.mean(dim=(1, 2, 3), keepdim=True)
        return (image - mean) * self.contrast + mean

    def moved(self, x: Tensor) -> Tensor:
        """(N, C, H, W) shifted by whole pixels, zeros beyond the border; differentiable."""
        height, width = x.shape[-2:]
        rows, columns = (self.shift * torch.tensor([height, width], device=x.device)).round().long().unbind(dim=1)
        most = [int(_SHIFT * side) + 1 for side in (height, width)]
        padded = F.pad(x, (most[1], most[1], most[0], most[0]))
        # Of images of one, not of slices without that axis: so they stay in channels_last where they are in it.
        return torch.cat(
            [
                padded[index : index + 1, :, top : top + height, left : left + width]
                for index, (top, left) in enumerate(
                    zip((rows + most[0]).tolist(), (columns + most[1]).tolist(), strict=True)
                )
            ]
        )
