"""Layers the networks share: instance normalisation, AdaIN, spatial feature transform.

Instance normalisation is a group normalisation with one channel a group: the same function, but its kernels take
bfloat16 in and out with statistics in float32, and are five times faster on a CPU than ``F.instance_norm``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-5


def instance_norm(x: Tensor) -> Tensor:
    """(N, C, H, W) to zero mean and unit variance per sample and channel over H, W; no affine (Ulyanov 2016)."""
    return F.group_norm(x, x.shape[1], eps=EPS)


def normalised(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """One image's channels to zero mean and unit variance, times weight plus bias; and the statistics that took.

    Batch normalisation of one image is instance normalisation, and its kernel is faster in channels_last.

    Args:
        x: (1, C, H, W) or (N, C), float32 or bfloat16.
        weight, bias: (C,) float32 each, both or neither.

    Returns:
        As ``x``; means and 1 / deviations, (C,) float32 each.
    """
    if weight is None or bias is None:  # without them the statistics would come in the type of x
        weight, bias = torch.ones(x.shape[1]), torch.zeros(x.shape[1])
    return torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, EPS)


def adaptive_instance_norm(x: Tensor, style: Tensor) -> Tensor:
    """AdaIN (Huang and Belongie 2017; MaskGAN Eq. 2): ``instance_norm(x) * weight + bias``.

    x: (N, C, H, W). style: (N, 2 C): the FIRST C values are the bias, the second C the weight, used as they are.
    """
    bias, weight = style.to(x.dtype)[:, :, None, None].chunk(2, dim=1)
    return torch.addcmul(bias, instance_norm(x), weight)


class ReflectConv2d(nn.Conv2d):
    """A convolution over a reflect-padded image; ``padding`` on every side.

    Not ``padding_mode="reflect"``: under autocast that pads in float32 and converts back.
    """

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        with torch.autocast(x.device.type, enabled=False):
            x = F.pad(x, self._reversed_padding_repeated_twice, mode="reflect")
        return F.conv2d(x, self.weight, self.bias, self.stride)


class SpatialFeatureTransform(nn.Module):
    """SFT (Wang et al. 2018; MaskGAN Eq. 1): features * scale(condition) + shift(condition), both (N, 64, H, W)."""

    def __init__(self, channels: int = 64):
        super().__init__()
        self.scale1 = nn.Conv2d(channels, channels, 1)
        self.scale2 = nn.Conv2d(channels, channels, 1)
        self.shift1 = nn.Conv2d(channels, channels, 1)
        self.shift2 = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        scale = self.scale2(F.leaky_relu(self.scale1(condition), 0.1))
        shift = self.shift2(F.leaky_relu(self.shift1(condition), 0.1))
        return features * scale + shift


class ConcatenateFeatures(nn.Module):
    """Features and condition, both (N, 64, H, W), side by side through a 1x1 convolution; stands in for SFT."""

    def __init__(self, channels: int = 64):
        super().__init__()
        self.conv = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        return self.conv(torch.cat([features, condition], dim=1))


def initialise(module: nn.Module) -> None:
    """N(0, 0.02) for every convolution and linear layer; transposed convolutions keep the default, as the authors'."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.02)
