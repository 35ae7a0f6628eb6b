"""``maskgan-context``: a Dense Mapping Network that sees the photo around the edit.

MaskGAN's conclusion names it as future work: "combining MaskGAN with image completion techniques to further preserve
details on the regions without editing". The network redraws a hole in the photo (`maskedit.models.holes`): beside the
generator stands a pyramid of convolutions over the photo with the hole cut out. At each level its features are added
to the generator's, before the normalisation on the way down and after it on the way up, by 1x1 convolutions that
start at zero (as ControlNet's, Zhang et al. 2023): training starts from a plain network's weights. The pyramid has no
normalisation: colours must arrive as they are.

Three things tell it what belongs into the hole: a smooth guess of its colours by those of the same label; the styles of
the photo's regions as they were before the edit (`maskedit.models.regions`); and, at an eighth of the resolution,
attention that looks up the features of the same label elsewhere in the photo (contextual attention of Yu et al. 2018,
led by the label map).
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.models.colours import NUM_GROUPS, TINT, label_guess
from maskedit.models.config import DmnConfig
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.layers import instance_norm
from maskedit.models.regions import REGION, RegionEncoder, RegionModulation, layout_in

SLOPE = 0.2
"""Of the context branch's leaky rectifiers."""
INPUTS = 5
"""Channels of what the context branch sees: the photo, in the hole the guess; the hole; in it, what the guess is worth.
"""
ATTENTION_LEVEL = 3
"""Halvings of the resolution at which the photo is looked up: an eighth."""
HIDDEN = -1e4
"""A logit that no softmax lets through, and that float16 can hold."""


class LabelAttention(nn.Module):
    """Each place of the generator's features looks up the photo's features where the photo shows the same label.

    Args:
        features: channels of the generator's features.
        context: channels of the context branch's features at the same resolution.
        labels: number of classes.
    """

    CHANNELS = 64
    SAME = 4.0
    """At the start: how much likelier, as a logit, a place with wholly the same label is looked at."""

    def __init__(self, features: int, context: int, labels: int):
        super().__init__()
        self.query = nn.Conv2d(features + labels, self.CHANNELS, 1)
        self.key = nn.Conv2d(context + labels, self.CHANNELS, 1)
        self.value = nn.Conv2d(context, context, 1)
        self.out = nn.Conv2d(context, features, 1)
        self.same = nn.Parameter(torch.tensor(self.SAME))

    def forward(self, x: Tensor, context: Tensor, labels: Tensor, visible: Tensor) -> Tensor:
        """What to add to ``x``.

        Args:
            x: (N, features, h, w).
            context: (N, context, h, w).
            labels: (N, labels, h, w), shares of each class in each cell.
            visible: (N, 1, h, w), the share of each cell that the photo shows; none is looked up where it is below 1/2.

        Returns:
            (N, features, h, w).
        """
        classes = labels.to(x.dtype).flatten(2)
        queries = self.query(torch.cat([x, labels.to(x.dtype)], dim=1)).flatten(2)
        keys = self.key(torch.cat([context, labels.to(context.dtype)], dim=1)).flatten(2)
        logits = queries.transpose(1, 2) @ keys / self.CHANNELS**0.5 + self.same * (classes.transpose(1, 2) @ classes)
        logits = logits.float().masked_fill(visible.flatten(2) < 0.5, HIDDEN)
        found = logits.softmax(dim=2).to(x.dtype) @ self.value(context).flatten(2).transpose(1, 2)
        return self.out(found.transpose(1, 2).reshape(context.shape))


class ContextNetwork(DenseMappingNetwork):
    """The variant ``maskgan-context``: `generate` is the plain network's, `complete` redraws a hole in the photo."""

    CONTEXT_NAMES: ClassVar[tuple[str, ...]] = ("context_", "into_", "attention.", "region_", "modulations.")
    """How the parameters that the plain network does not have begin."""

    def __init__(self, config: DmnConfig):
        super().__init__(config)
        widths = [config.width * 2**level for level in range(5)]
        self.context_stem = nn.Conv2d(INPUTS, widths[0], 3, padding=1)
        self.context_down = nn.ModuleList(
            nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(widths)
        )
        self.into_down = nn.ModuleList(nn.Conv2d(width, width, 1) for width in widths)
        self.into_up = nn.ModuleList(nn.Conv2d(width, width, 1) for width in reversed(widths[:-1]))
        self.into_head = nn.Conv2d(INPUTS, widths[0], 1)
        level = widths[ATTENTION_LEVEL]
        self.attention = LabelAttention(level, level, config.labels)
        self.region_encoder = RegionEncoder()
        self.modulations = nn.ModuleList(RegionModulation(width) for width in reversed(widths[:-1]))
        for conv in (self.context_stem, *self.context_down):
            nn.init.kaiming_normal_(conv.weight, a=SLOPE)
            nn.init.zeros_(conv.bias)
        for conv in (*self.into_down, *self.into_up, self.into_head, self.attention.out):
            nn.init.zeros_(conv.weight)
            nn.init.zeros_(conv.bias)

    def complete(
        self, labels: Tensor, style: Tensor, photo: Tensor, hole: Tensor, regions: Tensor | None = None
    ) -> Tensor:
        """The photo redrawn to show the labels; of use inside the hole, and close to the photo outside it.

        Args:
            labels: (N, 19, H, W) one-hot, H and W multiples of 16, at least 32.
            style: (N, style_values), see `style`.
            photo: (N, 3, H, W) in [-1, 1]; what lies in the hole is not looked at.
            hole: (N, 1, H, W), 1 where the photo is hidden, else 0. One that is everything gives `generate`, where
                nothing is known of the photo.
            regions: (N, G, R), what the photo's regions looked like before the edit, see `regions`; zeros, as for None,
                where that is not known. Its colour layout is that of the part of the photo that is given.

        Returns:
            (N, 3, H, W) float32 in [-1, 1].
        """
        if regions is None:
            regions = photo.new_zeros(len(photo), NUM_GROUPS, REGION)
        seen = self.seen(labels, photo, hole, regions).to(labels.dtype)
        # 0 for photos of which nothing is known: nothing of this branch may reach those.
        part = (hole.amin(dim=(1, 2, 3)) < 1) | (regions[..., TINT - 1].amax(dim=1) > 0)
        part = part[:, None, None, None].to(labels.dtype)
        context = self.context(seen)

        x, codes, kept, ups = labels, self.codes(style), [], zip(self.into_up, self.modulations, strict=True)
        *layers, head = self.layers()
        for layer in layers:
            x, level = layer.module(x), layer.level
            if layer.kind == "up":
                into, modulation = next(ups)
                x = F.relu(modulation(instance_norm(x), regions, F.avg_pool2d(labels, 1 << level), part[..., 0]))
                added = into(context[level])
                if level == ATTENTION_LEVEL:
                    visible = 1 - self.cells(hole.to(labels.dtype))
                    added = added + self.attention(x, context[level], self.cells(labels), visible)
                elif level == 0:
                    added = added + self.into_head(seen)
                x = x + part * added
                continue
            if layer.code is None:
                x = x + part * self.into_down[level](context[level])
            x = layer.finished(x, codes, kept)
        return torch.tanh(head.module(x).float())

    def regions(self, photo: Tensor, labels: Tensor) -> Tensor:
        """Region styles (N, G, R) float32 of whole photos (N, 3, H, W) in [-1, 1] and their own one-hot labels
        (N, 19, H, W), at the network's own side."""
        return self.region_encoder(photo, labels)

    def seen(self, labels: Tensor, photo: Tensor, hole: Tensor, regions: Tensor) -> Tensor:
        """What the context branch sees (N, 5, H, W) float32; arguments as in `complete`."""
        # While it trains, holes of a whole batch lie everywhere, and a GPU need not wait for their box.
        colours = regions[..., :TINT], layout_in(regions)
        guess, known = label_guess(labels, photo, hole, *colours, inside=not self.training)
        hole = hole.float()
        return torch.cat([torch.where(hole > 0, guess, photo.float()), hole, hole * known], dim=1)

    @staticmethod
    def cells(x: Tensor) -> Tensor:
        """Means of cells of 8 pixels, as the attention looks at labels and holes; (N, C, H, W)."""
        return F.avg_pool2d(x, 1 << ATTENTION_LEVEL)

    def context(self, seen: Tensor) -> list[Tensor]:
        """The context branch's features at each level, fine to coarse, of (N, 5, H, W)."""
        x = F.leaky_relu(self.context_stem(seen), SLOPE)
        levels = [x]
        for conv in self.context_down:
            x = F.leaky_relu(conv(x), SLOPE)
            levels.append(x)
        return levels
