"""The Spatial-Aware Style Encoder (MaskGAN section 3.1, Fig. 3): (photo, its label map) -> AdaIN parameters.

It sees the photo and the photo's OWN label map only, never the edited one: one style code serves every stroke.
Widths are fixed whatever the backbone's width is.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.models.layers import ReflectConv2d, SpatialFeatureTransform


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int) -> nn.Conv2d:
    return ReflectConv2d(in_channels, out_channels, kernel, stride, padding=(kernel - 1) // 2)


class LabelEncoder(nn.Module):
    """One-hot labels (N, 19, H, W) -> two conditions (N, 64, H/4, W/4) and (N, 64, H/32, W/32), before their ReLU."""

    def __init__(self, labels: int):
        super().__init__()
        self.conv1 = _conv(labels, 16, 7, 1)
        self.conv2 = _conv(16, 32, 4, 2)
        self.conv3 = _conv(32, 64, 4, 2)
        self.conv4 = _conv(64, 64, 4, 2)
        self.conv5 = _conv(64, 64, 4, 2)
        self.conv6 = _conv(64, 64, 4, 2)

    def forward(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.conv1(labels))
        x = F.relu(self.conv2(x))
        quarter = self.conv3(x)
        x = F.relu(self.conv4(F.relu(quarter)))
        x = F.relu(self.conv5(x))
        return quarter, self.conv6(x)


class StyleEncoder(nn.Module):
    """(photo (N, 3, H, W) in [-1, 1], one-hot labels (N, 19, H, W)) -> style code (N, style_values).

    Args:
        labels: number of classes.
        style_values: length of the style code, see ``DmnConfig.style_values``.
        merge: what brings a condition into the image features; None: the photo alone is looked at.
    """

    def __init__(self, labels: int, style_values: int, merge: type[nn.Module] | None = SpatialFeatureTransform):
        super().__init__()
        # The order of the layers is that of the optimisers' states in older run folders.
        self.labels = LabelEncoder(labels) if merge else None
        self.conv1 = _conv(3, 16, 7, 1)
        self.conv2 = _conv(16, 32, 4, 2)
        self.conv3 = _conv(32, 64, 4, 2)
        self.sft1 = merge() if merge else None
        self.conv4 = _conv(64, 64, 4, 2)
        self.conv5 = _conv(64, 64, 4, 2)
        self.conv6 = _conv(64, 64, 4, 2)
        self.sft2 = merge() if merge else None
        self.head = nn.Conv2d(64, style_values, 1)

    def forward(self, photo: Tensor, labels: Tensor) -> Tensor:
        conditions = self.labels(labels) if self.labels is not None else None
        x = F.relu(self.conv1(photo))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x))
        if conditions is not None:
            x = self.sft1(x, conditions[0])
        x = F.relu(self.conv4(x))
        x = F.relu(self.conv5(x))
        x = F.relu(self.conv6(x))
        if conditions is not None:
            x = self.sft2(x, conditions[1])
        pooled = x.float().mean(dim=(2, 3), keepdim=True)
        return self.head(pooled.to(x.dtype)).flatten(1)
