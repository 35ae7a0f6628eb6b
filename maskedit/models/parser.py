"""Face parsers: photo -> 19-class logits.

``unet``: the parser of the MaskGAN authors' evaluation, a U-Net (Ronneberger et al. 2015) of 1,944,355 parameters at
width 16; reported 93.42 % pixel accuracy.

``residual``: the one this project ships, made to learn from some hundred faces and to run on a CPU. Against the U-Net:
- two by two pixels enter as one with four times the channels and leave the same way (Shi et al. 2016): every
  convolution runs at half resolution or below, for a quarter of the arithmetic, and no pixel is lost;
- two channels of coordinates (Liu et al. 2018): left and right parts look alike and differ by where they are;
- residual blocks (He et al. 2016), and a bottleneck with dilated convolutions (Yu and Koltun 2016) and the mean over
  the whole face, so that each pixel of the label map has seen all of the photo.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.labels import MIRROR
from maskedit.models.config import ParserConfig


class Parser(nn.Module):
    """What the parsers have in common; ``build_parser`` makes the one a configuration asks for."""

    config: ParserConfig

    def forward(self, photo: Tensor) -> Tensor:
        """Photo (N, 3, H, W) in [-1, 1] -> logits (N, 19, H, W) float32; H and W multiples of 16."""
        raise NotImplementedError

    def features(self, photo: Tensor) -> list[Tensor]:
        """What the way down sees in a photo (N, 3, H, W) in [-1, 1], fine to coarse: (N, C, h, w) per level, >= 0."""
        raise NotImplementedError


@torch.inference_mode()
def parser_logits(parser: Parser, photos: Tensor, *, side: int | None = None, mirror: bool = False) -> Tensor:
    """Logits (N, 19, side, side) float32 of square photos (N, 3, S, S) float in [-1, 1].

    Photos of another side than the parser's are scaled to it; its logits are scaled bilinearly to ``side``.

    Args:
        side: in pixels; the parser's own when None.
        mirror: average the logits with those of the mirrored photo, left and right classes exchanged.
    """
    own = parser.config.size
    if photos.shape[-1] != own:
        photos = F.interpolate(photos, size=own, mode="bilinear", antialias=True)
    logits = parser(photos)
    if mirror:
        logits = (logits + parser(photos.flip(-1)).flip(-1)[:, MIRROR.tolist()]) / 2
    if side not in (None, own):
        logits = F.interpolate(logits, size=side, mode="bilinear")
    return logits


def parse(parser: Parser, photos: Tensor, *, side: int | None = None, mirror: bool = False) -> Tensor:
    """Label maps (N, side, side) uint8: the likeliest class of each pixel by `parser_logits`, of the same arguments."""
    return parser_logits(parser, photos, side=side, mirror=mirror).argmax(dim=1).to(torch.uint8)


def build_parser(config: ParserConfig) -> Parser:
    """The parser of ``config.kind``, its weights drawn at random."""
    return {"unet": UNet, "residual": ResidualUNet}[config.kind](config)


class DoubleConv(nn.Module):
    """Twice: 3x3 convolution, batch normalisation, ReLU."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(x)))


class UNet(Parser):
    """The authors' parser: five levels of two convolutions, halved by maximum, doubled by transposed convolution."""

    def __init__(self, config: ParserConfig):
        super().__init__()
        self.config = config
        widths = [config.width * 2**level for level in range(5)]
        self.down = nn.ModuleList(DoubleConv(before, after) for before, after in pairwise([3, *widths]))
        steps = list(pairwise(reversed(widths)))
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for coarse, fine in steps)
        self.merge = nn.ModuleList(DoubleConv(2 * fine, fine) for _, fine in steps)
        self.head = nn.Conv2d(widths[0], config.labels, 1)

    def features(self, photo: Tensor) -> list[Tensor]:
        """Five levels, from full to a sixteenth of the resolution; see `Parser.features`."""
        x, levels = photo, []
        for index, block in enumerate(self.down):
            x = block(x if index == 0 else F.max_pool2d(x, 2))
            levels.append(x)
        return levels

    def forward(self, photo: Tensor) -> Tensor:
        """Photo (N, 3, H, W) in [-1, 1] -> logits (N, 19, H, W) float32; H and W multiples of 16."""
        *skips, x = self.features(photo)
        for up, merge, skip in zip(self.up, self.merge, reversed(skips), strict=True):
            x = merge(torch.cat([skip, up(x)], dim=1))
        return self.head(x).float()


class DilatedBlock(nn.Module):
    """ReLU(x + f(x)) with two 3x3 convolutions, the first of them dilated, each followed by batch normalisation."""

    def __init__(self, channels: int, dilation: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm2.weight)  # a fresh block passes its input through: deep ones start like shallow ones

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(x + self.norm2(self.conv2(y)))


class ConvNorm(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class ResidualUNet(Parser):
    """The product's parser: four levels from half to a sixteenth of the resolution. Width 32: 5.3 M parameters."""

    BLOCKS = 2
    """Residual blocks a level on the way down; one on the way up."""
    DILATIONS = (1, 2, 4)
    """At a sixteenth of the resolution: the last block alone sees 176 pixels of the photo."""

    def __init__(self, config: ParserConfig):
        super().__init__()
        self.config = config
        widths = [config.width * 2**level for level in range(4)]
        self.stem = ConvNorm((3 + 2) * 4, widths[0], 3)
        self.levels = nn.ModuleList(
            nn.Sequential(*(DilatedBlock(width) for _ in range(self.BLOCKS))) for width in widths[:-1]
        )
        self.halve = nn.ModuleList(ConvNorm(fine, coarse, 3, stride=2) for fine, coarse in pairwise(widths))
        self.bottleneck = nn.Sequential(*(DilatedBlock(widths[-1], dilation) for dilation in self.DILATIONS))
        self.whole = nn.Conv2d(widths[-1], widths[-1], 1)
        steps = list(pairwise(reversed(widths)))
        self.narrow = nn.ModuleList(ConvNorm(coarse, fine, 1) for coarse, fine in steps)
        self.merge = nn.ModuleList(nn.Sequential(ConvNorm(2 * fine, fine, 1), DilatedBlock(fine)) for _, fine in steps)
        self.head = nn.Conv2d(widths[0], config.labels * 4, 3, padding=1)

    def features(self, photo: Tensor) -> list[Tensor]:
        """Four levels, from half to a sixteenth of the resolution; see `Parser.features`."""
        x = torch.cat([photo, _coordinates(photo)], dim=1)
        x = self.stem(F.pixel_unshuffle(x, 2))  # (N, width, H/2, W/2)
        levels = []
        for level, halve in zip(self.levels, self.halve, strict=True):
            x = level(x)
            levels.append(x)
            x = halve(x)
        return [*levels, self.bottleneck(x)]  # the last: (N, 8 width, H/16, W/16)

    def forward(self, photo: Tensor) -> Tensor:
        """Photo (N, 3, H, W) in [-1, 1] -> logits (N, 19, H, W) float32; H and W multiples of 16."""
        *skips, x = self.features(photo)
        x = x + self.whole(x.mean(dim=(2, 3), keepdim=True))
        for narrow, merge, skip in zip(self.narrow, self.merge, reversed(skips), strict=True):
            doubled = F.interpolate(narrow(x), scale_factor=2.0, mode="nearest")
            x = merge(torch.cat([skip, doubled], dim=1))
        return F.pixel_shuffle(self.head(x), 2).float()


def _coordinates(photo: Tensor) -> Tensor:
    """(N, 2, H, W): across and down, each from -1 to 1."""
    count, _, height, width = photo.shape
    across = torch.linspace(-1, 1, width, dtype=photo.dtype, device=photo.device).expand(count, 1, height, width)
    down = torch.linspace(-1, 1, height, dtype=photo.dtype, device=photo.device)[:, None]
    return torch.cat([across, down.expand(count, 1, height, width)], dim=1)
