"""Layers the networks share: instance normalisation, AdaIN, spatial feature transform.

Instance normalisation is a group normalisation with one channel a group: the same function, but its kernels take
bfloat16 in and out with statistics in float32, and are five times faster on a CPU than ``F.instance_norm``. In
channels_last they are not: there a CPU normalises one image after the other with the kernels of batch normalisation.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

EPS = 1e-5


def instance_norm(x: Tensor) -> Tensor:
    """(N, C, H, W) to zero mean and unit variance per sample and channel over H, W; no affine (Ulyanov 2016).

    Statistics in float32 (float64 of float64); the result has the type and the memory format of ``x``.
    """
    if x.device.type != "cpu" or x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
        return F.group_norm(x, x.shape[1], eps=EPS)
    if torch.compiler.is_compiling():  # it sees into these kernels, and not into the function
        return torch.cat([normalised(image)[0] for image in x.split(1)])
    return _ChannelsLastInstanceNorm.apply(x)


class _ChannelsLastInstanceNorm(torch.autograd.Function):
    """Instance normalisation of (N, C, H, W) in channels_last on a CPU: batch normalisation of one image at a time.

    In this format ``F.group_norm`` with one channel a group works through vectors of length one, backward 13 times
    slower than on plain rows (float32, 4 x 32 channels, 256 px, two cores of an AMD EPYC: 92 ms against 7; forward with
    512 channels at 16 px 5.4 ms against 0.2). Batch normalisation's kernels take 7 ms forward and, with the copy, 14
    backward. Sums, products and ``addcmul`` on the (N, H W, C) view, which go through memory more often, take 13 and 18
    ms, and in bfloat16 16 and 18 where the kernels take 3 and 12.

    These kernels add up pixels one by one in float32: 2e-4 off at 512 px, where ``F.group_norm`` is 1e-6 off on plain
    rows and 3e-4 in channels_last.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        count, channels = x.shape[:2]
        kind = torch.promote_types(x.dtype, torch.float32)
        weight, bias = torch.ones(channels, dtype=kind), torch.zeros(channels, dtype=kind)
        means, rates = torch.empty(count, channels, dtype=kind), torch.empty(count, channels, dtype=kind)
        y = torch.empty_like(x)
        for index in range(count):
            image, out = x[index : index + 1], (y[index : index + 1], means[index], rates[index])
            torch.native_batch_norm(image, weight, bias, None, None, True, 0.0, EPS, out=out)
        ctx.save_for_backward(x, means, rates)  # rates: 1 / deviations
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        x, means, rates = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        weight = torch.ones_like(means[0])
        result = torch.empty_like(x)
        for index, (mean, rate) in enumerate(zip(means, rates, strict=True)):
            one = slice(index, index + 1)
            # It has no ``out``; one image is small enough to be copied from a cache.
            result[one] = torch.ops.aten.native_batch_norm_backward(
                gradient[one], x[one], weight, None, None, mean, rate, True, EPS, [True, False, False]
            )[0]
        return result


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
        kind = torch.promote_types(x.dtype, torch.float32)
        weight, bias = torch.ones(x.shape[1], dtype=kind), torch.zeros(x.shape[1], dtype=kind)
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
