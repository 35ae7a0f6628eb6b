"""Holes: the part of a photo that an edit redraws, what a smooth guess puts there, and how a completion is laid in.

A hole is (N, 1, H, W) float, 1 where the photo is hidden and 0 where it stays. Training, evaluation and the editor
all cut, guess and lay in with these functions: a network sees when it is used what it saw when it was trained.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.labels import MIRROR_PARTNERS, NUM_LABELS

EDIT_GROWTH = 0.025
"""Of the side: how far a hole reaches beyond the labels that changed. An old feature shows, and casts its shadow,
a little beside its label: what is left of it at a hole's rim spreads into the completion."""
_COARSE = 8
"""Guesses are made at this fraction of the resolution: they are smooth, and cost next to nothing there."""
_ABOVE = 0.1
"""Weight of what coarser levels say, against 1 for a pixel of a level that is known wholly."""


def _groups() -> list[int]:
    """For each id the group whose colour it shares: that of its mirror partner is as good as its own."""
    partner = {right: left for left, right in MIRROR_PARTNERS}
    names = [partner.get(label, label) for label in range(NUM_LABELS)]
    order = sorted(set(names))
    return [order.index(name) for name in names]


GROUPS = _groups()
"""Id -> group: left and right eye, brow and ear are one each."""


def grown(mask: Tensor, radius: int) -> Tensor:
    """A mask (N, 1, H, W) of zeros and ones, bool or float, grown by ``radius`` pixels on every side (a square)."""
    if radius < 1:
        return mask
    kernel = 2 * radius + 1
    x = F.max_pool2d(mask.float(), (kernel, 1), stride=1, padding=(radius, 0))
    return F.max_pool2d(x, (1, kernel), stride=1, padding=(0, radius)).to(mask.dtype)


def edit_hole(reference_ids: Tensor, ids: Tensor, share: float = EDIT_GROWTH) -> Tensor:
    """The hole of an edit (N, 1, H, W) float32: where two label maps (N, H, W) differ, grown by a share of the side."""
    return grown((reference_ids != ids)[:, None].float(), round(share * ids.shape[-1]))


def label_hole(ids: Tensor, members: Iterable[int], share: float = EDIT_GROWTH) -> Tensor:
    """The hole (N, 1, H, W) float32 that hides some classes of label maps (N, H, W), grown by a share of the side."""
    chosen = torch.zeros(NUM_LABELS, dtype=torch.bool, device=ids.device)
    chosen[list(members)] = True
    return grown(chosen[ids.long()][:, None].float(), round(share * ids.shape[-1]))


def mean_inside(values: Tensor, hole: Tensor) -> Tensor:
    """The mean (N,) of values (N, C, h, w) over a hole (N, 1, H, W), which is scaled to them by area."""
    weights = hole.to(values.dtype)
    if weights.shape[-2:] != values.shape[-2:]:
        weights = F.adaptive_avg_pool2d(weights, values.shape[-2:])
    sums = (values.mean(dim=1, keepdim=True) * weights).sum(dim=(1, 2, 3))
    return sums / weights.sum(dim=(1, 2, 3)).clamp_min(1e-6)


def spread(values: Tensor, weights: Tensor) -> Tensor:
    """Values known in places spread smoothly over the gaps: push-pull (Gortler et al., "The Lumigraph", 1996).

    From coarse to fine each level trusts its own values by their weight and takes the rest from above.

    Args:
        values: (N, C, H, W) float32, already multiplied by their weights.
        weights: (N, 1 or C, H, W) float32, 0 to 1; where a channel's are 0 everywhere the result is 0.

    Returns:
        (N, C, H, W) float32.
    """
    height, width = values.shape[-2:]
    if min(height, width) <= 1:
        mass = weights.sum(dim=(2, 3), keepdim=True)
        return (values.sum(dim=(2, 3), keepdim=True) / mass.clamp_min(1e-6)).expand_as(values)
    smaller = ((height + 1) // 2, (width + 1) // 2)
    above = spread(F.adaptive_avg_pool2d(values, smaller), F.adaptive_avg_pool2d(weights, smaller))
    above = F.interpolate(above, size=(height, width), mode="bilinear")
    return (values + _ABOVE * above) / (weights + _ABOVE)


@torch.no_grad()
def label_guess(labels: Tensor, photo: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
    """What a hole may hold by the colours of the same label around it: no network, no detail.

    Each group of labels has a colour field of its own, known where the photo shows that label and spread over the
    rest: new hair takes the colour of the hair nearest to it.

    Args:
        labels: (N, 19, H, W) one-hot, of what the hole is to hold, H and W multiples of 8.
        photo: (N, 3, H, W) in [-1, 1]; nothing of it that lies in the hole is looked at.
        hole: (N, 1, H, W).

    Returns:
        The guess (N, 3, H, W) float32 in [-1, 1], everywhere; and (N, 1, H, W) float32, 1 where the photo shows a
        pixel's label somewhere outside the hole. Where it does not, the guess is the mean of all that is visible.
    """
    labels, photo, known = labels.float(), photo.float(), 1 - hole.float()
    count, _, height, width = photo.shape
    index = torch.tensor(GROUPS, device=labels.device)
    groups = labels.new_zeros(count, max(GROUPS) + 1, height, width).index_add_(1, index, labels)
    size = (height // _COARSE, width // _COARSE)
    weights = F.adaptive_avg_pool2d(groups * known, size)
    values = torch.stack([F.adaptive_avg_pool2d(groups * (known * photo[:, c : c + 1]), size) for c in range(3)], dim=2)
    flat = (count, -1, *size)
    fields = spread(values.view(flat), weights.repeat_interleave(3, dim=1)).view(values.shape)  # (N, G, 3, h, w)
    shown = (weights.amax(dim=(2, 3), keepdim=True) > 0).float()  # (N, G, 1, 1)
    mean = values.sum(dim=(1, 3, 4)) / weights.sum(dim=(1, 2, 3))[:, None].clamp_min(1e-6)
    fields = torch.where(shown[:, :, None] > 0, fields, mean[:, None, :, None, None])
    guess = torch.stack(
        [(F.interpolate(fields[:, :, c], size=(height, width), mode="bilinear") * groups).sum(dim=1) for c in range(3)],
        dim=1,
    )
    return guess, (groups * shown).sum(dim=1, keepdim=True)


@torch.no_grad()
def merge(image: Tensor, photo: Tensor, hole: Tensor) -> Tensor:
    """A completion laid into the photo: in the hole the image without its error of colour, the photo outside.

    How far the image's smooth colours are off is known outside the hole, where the photo shows the truth; that error
    is spread over the hole and taken off, so that there is no step at the rim.

    Args:
        image: (N, 3, H, W) in [-1, 1], what a network drew.
        photo: (N, 3, H, W) in [-1, 1].
        hole: (N, 1, H, W); where it is 0 the result is the photo, to the last bit.

    Returns:
        (N, 3, H, W) float32 in [-1, 1].
    """
    image, photo, hole = image.float(), photo.float(), hole.float()
    known = 1 - hole
    height, width = image.shape[-2:]
    size = (height // 4, width // 4)
    error = F.adaptive_avg_pool2d((photo - image) * known, size)
    error = spread(error, F.adaptive_avg_pool2d(known, size))
    corrected = (image + F.interpolate(error, size=(height, width), mode="bilinear")).clamp(-1, 1)
    everything = known.amax(dim=(1, 2, 3), keepdim=True) == 0
    return torch.where(hole > 0, torch.where(everything, image, corrected), photo)
