"""The Dense Mapping Network (MaskGAN, Lee et al., CVPR 2020, section 3.1): label map + style code -> photo.

A pix2pixHD global generator (Wang et al. 2018) whose residual blocks are normalised by AdaIN with the style code
of one photo. With width 64 it has 89,702,595 parameters. Where paper and released demo disagree on the number of
residual blocks (three in the appendix, four in the text and the release) this is four.

The paper's ablations differ in the style encoder alone: concatenation instead of SFT, or no label map at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.models.config import DmnConfig
from maskedit.models.layers import (
    ConcatenateFeatures,
    ReflectConv2d,
    SpatialFeatureTransform,
    adaptive_instance_norm,
    initialise,
    instance_norm,
)
from maskedit.models.style_encoder import StyleEncoder


class Generator(nn.Module):
    """What the variants have in common; ``maskedit.models.variants.build_generator`` makes the one asked for.

    ``style`` once per photo, ``generate`` once per edit; ``forward`` is both, as training uses them.
    """

    config: DmnConfig

    def style(self, photo: Tensor, reference_labels: Tensor) -> Tensor:
        """Style code (N, style_values) of a photo (N, 3, H, W) in [-1, 1] and its one-hot labels (N, 19, H, W)."""
        raise NotImplementedError

    def generate(self, labels: Tensor, style: Tensor) -> Tensor:
        """Image (N, 3, H, W) in [-1, 1] from one-hot labels (N, 19, H, W), H and W multiples of 16, at least 32."""
        raise NotImplementedError

    def forward(self, photo: Tensor, reference_labels: Tensor, labels: Tensor) -> Tensor:
        """The render of ``labels`` in the style of ``photo``; shapes as in ``style`` and ``generate``."""
        return self.generate(labels, self.style(photo, reference_labels))


class AdaptiveResidualBlock(nn.Module):
    """The weights of x + f(x): two 3x3 convolutions, each followed by AdaIN; no ReLU after the sum. See `Layer`."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = ReflectConv2d(channels, channels, 3, padding=1)
        self.conv2 = ReflectConv2d(channels, channels, 3, padding=1)


@dataclass(frozen=True)
class Layer:
    """One convolution of the generator, and what follows it: instance normalisation or AdaIN, ReLU, a sum."""

    name: str
    module: nn.Conv2d | nn.ConvTranspose2d
    kind: Literal["same", "down", "up"]
    """What it does to the resolution: keeps, halves or doubles it."""
    level: int
    """Halvings between the label map and its output."""
    code: int | None = None
    """Which of the style code's AdaIN parameters normalise its output; None: plain instance normalisation."""
    relu: bool = True
    skip: int | None = None
    """The layer, counted from 0, whose output is added."""
    kept: bool = False
    """Whether the second layer after it adds its output."""

    def finished(self, x: Tensor, codes: Sequence[Tensor], kept: list[Tensor]) -> Tensor:
        """What follows the convolution, whose output (N, C, H, W) comes.

        Args:
            codes: see `DenseMappingNetwork.codes`.
            kept: what is still to be added, in the hands of this function: empty before the first layer.
        """
        x = instance_norm(x) if self.code is None else adaptive_instance_norm(x, codes[self.code])
        if self.relu:
            x = F.relu(x)
        if self.skip is not None:
            x = kept.pop() + x
        if self.kept:
            kept.append(x)
        return x


class DenseMappingNetwork(Generator):
    """The only network that editing needs: the variants ``maskgan``, ``maskgan-concat`` and ``pix2pixhd-m``."""

    MERGES: ClassVar[dict[str, type[nn.Module] | None]] = {
        "maskgan": SpatialFeatureTransform,
        "maskgan-context": SpatialFeatureTransform,
        "maskgan-concat": ConcatenateFeatures,
        "pix2pixhd-m": None,
    }
    """Variant -> how the style encoder takes in the photo's own label map."""

    def __init__(self, config: DmnConfig):
        super().__init__()
        self.config = config
        widths = [config.width * 2**level for level in range(5)]
        self.encoder = StyleEncoder(config.labels, config.style_values, self.MERGES[config.variant])
        self.stem = ReflectConv2d(config.labels, widths[0], 7, padding=3)
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(widths))
        self.blocks = nn.ModuleList(AdaptiveResidualBlock(widths[-1]) for _ in range(config.blocks))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(coarse, fine, 3, stride=2, padding=1, output_padding=1)
            for fine, coarse in reversed(list(pairwise(widths)))
        )
        self.head = ReflectConv2d(widths[0], 3, 7, padding=3)
        initialise(self)

    def layers(self) -> Iterator[Layer]:
        """The layers of `generate`, in order; the last one has no normalisation. Whoever runs the network, in whatever
        way, reads them here."""
        yield Layer("stem", self.stem, "same", 0)
        for level, conv in enumerate(self.down):
            yield Layer(f"down{level}", conv, "down", level + 1, kept=level + 1 == len(self.down))
        before = deepest = len(self.down)
        for number, block in enumerate(self.blocks):
            yield Layer(f"blocks{number}.conv1", block.conv1, "same", deepest, code=2 * number)
            second = {"code": 2 * number + 1, "relu": False, "skip": before, "kept": True}
            yield Layer(f"blocks{number}.conv2", block.conv2, "same", deepest, **second)
            before += 2
        for number, conv in enumerate(self.up):
            yield Layer(f"up{number}", conv, "up", deepest - 1 - number)
        yield Layer("head", self.head, "same", 0)

    def style(self, photo: Tensor, reference_labels: Tensor) -> Tensor:
        """Style code (N, style_values) of a photo (N, 3, H, W) in [-1, 1] and its one-hot labels (N, 19, H, W)."""
        return self.encoder(photo, reference_labels)

    def generate(self, labels: Tensor, style: Tensor) -> Tensor:
        """Image (N, 3, H, W) in [-1, 1] from one-hot labels (N, 19, H, W), H and W multiples of 16, at least 32."""
        *layers, head = self.layers()
        x, codes, kept = labels, self.codes(style), []
        for layer in layers:
            x = layer.finished(layer.module(x), codes, kept)
        return torch.tanh(head.module(x).float())

    def codes(self, style: Tensor) -> tuple[Tensor, ...]:
        """The parts (N, 2 C) of a style code, one for each layer with AdaIN."""
        return style.chunk(2 * len(self.blocks), dim=1)
