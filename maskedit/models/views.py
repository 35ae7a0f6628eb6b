"""Views: the square of a photo that a completion looks at.

A mouth is a tenth of a face. Redrawn at a network's own side and scaled up to the photo's it is soft, so the network
looks closer: at a square around the hole, down to half the photo's side. What is cut out is scaled to the network's
side; a small edit is then drawn at the photo's own sharpness, and costs no more than a large one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.labels import BY_NAME
from maskedit.models.colours import layout_through
from maskedit.models.config import DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.holes import merge
from maskedit.models.regions import layout_in, with_layout
from maskedit.models.tensors import box_of, one_hot, scaled_labels

CLOSEST = 0.5
"""Of the photo's side: the smallest view. Networks are trained no closer."""
CLOSEST_TO_TEETH = 0.875
"""The same where a hole is to show teeth: from nearer, networks that have seen few mouths from near draw a mosaic."""
ROOM = 1.6
"""How many times as wide as the hole a view is, where that fits: the network needs something to go by."""

NEAR = 0.15
"""Of its side: a view that has moved no further has a style code that differs little."""


@dataclass(frozen=True)
class View:
    """A square of whole pixels inside a photo."""

    left: int
    top: int
    side: int

    def of(self, x: Tensor) -> Tensor:
        """Its part (N, C, side, side) of (N, C, S, S); a slice."""
        return x[..., self.top : self.top + self.side, self.left : self.left + self.side]

    def near(self, other: View) -> bool:
        """Whether another one shows nearly the same."""
        moves = (self.left - other.left, self.top - other.top, self.side - other.side)
        return max(map(abs, moves)) <= NEAR * self.side

    def photo(self, photo: Tensor, size: int) -> Tensor:
        """Its part of a photo (N, 3, S, S) in [-1, 1], at ``size`` px."""
        part = self.of(photo)
        if self.side == size:
            return part
        return F.interpolate(part, size=size, mode="bilinear", antialias=self.side > size, align_corners=False)

    def labels(self, ids: Tensor, size: int) -> Tensor:
        """Its part of label ids (N, S, S) uint8, at ``size`` px, by nearest neighbour."""
        return scaled_labels(self.of(ids), size)

    def hole(self, hole: Tensor, size: int) -> Tensor:
        """Its part of a hole (N, 1, S, S), at ``size`` px: a pixel that lies in the hole in part lies in it."""
        part = self.of(hole)
        if self.side == size:
            return part
        if self.side > size:
            return F.adaptive_max_pool2d(part, size)
        return F.interpolate(part, size=size, mode="nearest-exact")

    def regions(self, regions: Tensor, side: int) -> Tensor:
        """Region styles (N, G, R) of photos of a side in pixels, with the colour layout of its part."""
        if self.side == side:
            return regions
        layout = layout_through(layout_in(regions), self.left / side, self.top / side, self.side / side)
        return with_layout(regions, layout)


def view_of(hole: Tensor, size: int, closest: float = CLOSEST) -> View:
    """The closest view that shows a hole (1, 1, S, S) and its surroundings, for a network of ``size`` px.

    Where the photo has no more pixels than the network sees, that is the whole photo: larger pixels show no more.
    ``closest`` is the smallest view's share of the photo's side.
    """
    side = hole.shape[-1]
    left, top, right, bottom = box_of(hole)
    wanted = int(np.ceil(max(size, closest * side, ROOM * max(right - left, bottom - top))))
    width = min(side, wanted + wanted % 2)
    place = (
        int(np.clip(round((low + high - width) / 2), 0, side - width)) for low, high in ((left, right), (top, bottom))
    )
    return View(*place, width)


def random_view(hole: Tensor, random: np.random.Generator) -> View:
    """A view that shows a hole (1, 1, S, S) wholly, as close as it may be; half of the time the whole photo."""
    side = hole.shape[-1]
    left, top, right, bottom = box_of(hole)
    least = min(side, max(round(CLOSEST * side), round(1.1 * max(right - left, bottom - top))))
    if random.random() < 0.5 or least == side:
        return View(0, 0, side)
    width = int(random.integers(least, side + 1))
    place = (
        int(random.integers(max(0, high - width), min(low, side - width) + 1))
        for low, high in ((left, right), (top, bottom))
    )
    return View(*place, width)


def natural_side(config: DmnConfig) -> int:
    """Side in pixels of the photos that a network draws as sharp as they are: its own, or what it sees half of."""
    return round(config.size / CLOSEST) if config.views == "zoomed" else config.size


Draw = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""What stands for `ContextNetwork.complete`: label ids (1, S, S) uint8, a style code (1, V), a photo (1, 3, S, S) in
[-1, 1], its hole (1, 1, S, S), of the network's side, and region styles (1, G, R) -> an image (1, 3, S, S) float32 in
[-1, 1]."""


@dataclass(frozen=True, eq=False)
class Sight:
    """A photo through a view: what does not depend on the edit, and need be cut out but once."""

    view: View
    whole: Tensor
    """(1, 3, side, side) float32, the view's part of the photo; a slice."""
    seen: Tensor
    """(1, 3, S, S), the same at the network's side, in the network's precision."""
    regions: Tensor
    """(1, G, R) float32, the region styles of the whole photo, with the colour layout of what the view shows."""


def view_for(config: DmnConfig, hole: Tensor, ids: Tensor) -> View:
    """What a network of some configuration looks at to fill a hole (1, 1, S, S) of a photo with ids (1, S, S)."""
    if config.views != "zoomed":
        return View(0, 0, hole.shape[-1])
    teeth = bool(((ids == BY_NAME["mouth"].id) & (hole[:, 0] > 0)).any())
    return view_of(hole, config.size, CLOSEST_TO_TEETH if teeth else CLOSEST)


def look(
    config: DmnConfig, photo: Tensor, regions: Tensor, view: View, precision: torch.dtype = torch.float32
) -> Sight:
    """A photo (1, 3, S, S) float32 in [-1, 1], whose region styles are (1, G, R), through a view."""
    seen = view.photo(photo, config.size).to(precision)
    return Sight(view, view.of(photo), seen, view.regions(regions, photo.shape[-1]))


def style_of(network: ContextNetwork, sight: Sight, reference_ids: Tensor) -> Tensor:
    """The style code (1, style_values) of what is looked at; ``reference_ids`` (1, S, S) uint8 are the photo's."""
    labels = one_hot(sight.view.labels(reference_ids, network.config.size), dtype=sight.seen.dtype)
    return network.style(sight.seen, labels)


def regions_of(network: ContextNetwork, photo: Tensor, reference_ids: Tensor) -> Tensor:
    """Region styles (N, G, R) float32 of photos (N, 3, S, S) in [-1, 1] with their own label maps (N, S, S) uint8."""
    whole, side = View(0, 0, photo.shape[-1]), network.config.size
    labels = one_hot(whole.labels(reference_ids, side), dtype=network.stem.weight.dtype)
    return network.regions(whole.photo(photo, side), labels)


def by_torch(network: ContextNetwork) -> Draw:
    """The network itself."""

    def draw(ids: Tensor, style: Tensor, photo: Tensor, hole: Tensor, regions: Tensor) -> Tensor:
        return network.complete(one_hot(ids, dtype=photo.dtype), style, photo, hole, regions)

    return draw


def complete_sight(draw: Draw, sight: Sight, style: Tensor, ids: Tensor, hole: Tensor) -> Tensor:
    """What is looked at with the hole in it redrawn: (1, 3, side, side) float32 in [-1, 1].

    Args:
        draw: the network.
        style: (1, style_values).
        ids: (1, S, S) uint8, what the hole is to show; of the whole photo, as ``hole`` is.
        hole: (1, 1, S, S) float32, zeros and ones, a one at least; it lies in the view.
    """
    view, size = sight.view, sight.seen.shape[-1]
    image = draw(view.labels(ids, size), style, sight.seen, view.hole(hole, size), sight.regions)
    if view.side != size:
        shrinks = view.side < size
        image = F.interpolate(
            image, size=view.side, mode="bilinear" if shrinks else "bicubic", antialias=shrinks, align_corners=False
        ).clamp(-1, 1)
    return merge(image, sight.whole, view.of(hole))


def complete_photo(
    network: ContextNetwork,
    photo: Tensor,
    reference_ids: Tensor,
    ids: Tensor,
    hole: Tensor,
    *,
    precision: torch.dtype = torch.float32,
) -> Tensor:
    """A photo with a hole redrawn, at the photo's side: looked at, completed and laid in.

    Args:
        photo: (1, 3, S, S) float32 in [-1, 1].
        reference_ids: (1, S, S) uint8, its own label map.
        ids: (1, S, S) uint8, what the hole is to show.
        hole: (1, 1, S, S) float32, zeros and ones, a one at least.
        precision: of the network and what it is given.

    Returns:
        (1, 3, S, S) float32 in [-1, 1]; outside the hole the photo, to the last bit.
    """
    regions = regions_of(network, photo, reference_ids)
    sight = look(network.config, photo, regions, view_for(network.config, hole, ids), precision)
    style = style_of(network, sight, reference_ids)
    result = photo.clone()
    sight.view.of(result).copy_(complete_sight(by_torch(network), sight, style, ids, hole))
    return result
