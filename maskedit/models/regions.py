"""Region styles: what each region of a photo looks like, as it was before the edit.

One style code for a whole face knows neither the colour of lips nor the kind of hair. Here each group of labels has its
own, as in SEAN (Zhu et al., CVPR 2020): features of the photo, averaged over the region. A region that an edit hides
is redrawn from it, and so is one that an edit enlarges.

A region style has `TINT` values, which are the region's tint (`maskedit.models.colours`), `CHANNELS` learned ones, and
its colour layout; all are 0 where the photo does not show the region. What people put on, and teeth, which a closed
mouth hides, have a *usual style* then: that of one training photo that is like most. Without it a network draws the
mean of all hats there are, a grey mist.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.labels import BY_NAME
from maskedit.models.colours import (
    GROUP_INDEX,
    LAYOUT,
    NUM_GROUPS,
    TINT,
    colours_of,
    grouped,
)

CHANNELS = 64
"""Learned values of a region's style."""
STYLE = TINT + CHANNELS
"""Values of a region's style before its colour layout."""
REGION = STYLE + 4 * LAYOUT**2
"""All of them."""
SLOPE = 0.2
"""Of the leaky rectifiers."""
_STEP = 4
"""Pixels of the photo to one place of the features."""
DARK, ANY, BRIGHT = -1, 0, 1
WITH_USUAL = {
    BY_NAME[name].id: light
    for light, names in ((DARK, ("eye_g", "hat")), (ANY, ("l_eye", "hair")), (BRIGHT, ("mouth", "ear_r", "neck_l")))
    for name in names
}
"""Classes that have a usual style, and how light it is among those that are like most: frames are dark, teeth white.
What else a photo does not show, such as a hidden ear, is guessed from its skin."""


class RegionEncoder(nn.Module):
    """(photo, its label map) -> region styles."""

    def __init__(self):
        super().__init__()
        half = CHANNELS // 2
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(3, half, 3, stride=2, padding=1),
                nn.Conv2d(half, CHANNELS, 3, stride=2, padding=1),
                nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
            ]
        )
        for conv in self.convs:
            nn.init.kaiming_normal_(conv.weight, a=SLOPE)
            nn.init.zeros_(conv.bias)
        self.register_buffer("usual", torch.zeros(NUM_GROUPS, STYLE))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        state_dict.setdefault(prefix + "usual", torch.zeros(self.usual.shape))  # files of before had none
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, photo: Tensor, labels: Tensor) -> Tensor:
        """Region styles of photos.

        Args:
            photo: (N, 3, H, W) in [-1, 1], the whole of it, H and W multiples of 4.
            labels: (N, 19, H, W) one-hot, the photo's own.

        Returns:
            (N, G, `REGION`) float32, G as in `maskedit.models.colours.GROUPS`. Of regions that a photo does not show,
            the usual style, which is 0 where there is none, without a layout.
        """
        x = photo.to(labels.dtype)
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)
        groups = grouped(labels)
        shares = F.avg_pool2d(groups, _STEP).flatten(2)
        mass = shares.sum(dim=2, keepdim=True)
        with torch.autocast(x.device.type, enabled=False):
            means = shares @ x.float().flatten(2).transpose(1, 2) / mass.clamp_min(1e-6)
        tints, layout = colours_of(groups, photo)
        styles = torch.cat([tints, means * (mass > 0)], dim=2)
        styles = torch.where(styles[..., TINT - 1 : TINT] > 0, styles, self.usual)
        return with_layout(styles, layout)


def layout_in(regions: Tensor) -> Tensor:
    """The colour layout (N, G, 4, L, L) in region styles (N, G, `REGION`); a view."""
    return regions[..., STYLE:].unflatten(2, (4, LAYOUT, LAYOUT))


def with_layout(regions: Tensor, layout: Tensor) -> Tensor:
    """Region styles (N, G, `REGION`) with another colour layout (N, G, 4, L, L)."""
    return torch.cat([regions[..., :STYLE], layout.flatten(2)], dim=2)


def usual_style(styles: Tensor, light: int = ANY) -> Tensor:
    """Of region styles (P, R) of one group in P photos, one (R,) that is like most.

    Of the quarter that is nearest to all others, the darkest or brightest, or else the nearest, which is the medoid;
    all values count by their spread. No mean: a mean of styles is the style of nothing.
    """
    spread = (styles - styles.mean(dim=0)) / styles.std(dim=0, correction=0).clamp_min(1e-6)
    nearest = styles[torch.cdist(spread, spread).sum(dim=1).argsort(stable=True)[: (len(styles) + 3) // 4]]
    return nearest[(light * nearest[:, : TINT - 1].mean(dim=1)).argmax()]


class RegionModulation(nn.Module):
    """Normalised features scaled and shifted region by region, by the regions' styles; nothing at the start.

    Args:
        width: channels of the features.
    """

    def __init__(self, width: int):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(NUM_GROUPS, 2 * width))
        """Of each region, whatever its style."""
        self.linear = nn.Linear(CHANNELS + 1, 2 * width, bias=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x: Tensor, regions: Tensor, labels: Tensor, part: Tensor) -> Tensor:
        """The features, modulated.

        Args:
            x: (N, width, h, w).
            regions: (N, G, `REGION`), region styles.
            labels: (N, 19, h, w), shares of each class in each place.
            part: (N, 1, 1), 0 for those that are left as they are, else 1.

        Returns:
            (N, width, h, w).
        """
        # Whether the region is known, and what was learned; its colour is in the guess of the hole.
        known = regions[..., TINT - 1 : STYLE].to(self.table.dtype)
        tables = (part * (self.linear(known) + self.table))[:, GROUP_INDEX.to(x.device)].to(x.dtype)
        values = labels.to(x.dtype).permute(0, 2, 3, 1).flatten(1, 2) @ tables
        values = values.unflatten(1, x.shape[-2:]).permute(0, 3, 1, 2)
        scale, shift = values.chunk(2, dim=1)
        return torch.addcmul(x + shift, x, scale)
