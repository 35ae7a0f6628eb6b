"""Holes: the part of a photo that an edit redraws, and how a completion is laid in.

A hole is (N, 1, H, W) float, 1 where the photo is hidden and 0 where it stays. Training, evaluation and the editor
all cut and lay in with these functions: a network sees when it is used what it saw when it was trained.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.labels import EYEGLASSES, NUM_LABELS, OVERLAYS, ids_of
from maskedit.models.colours import enlarged, push_pull
from maskedit.models.tensors import box_of, grown, index_of

EDIT_GROWTH = 0.025
"""Of the side: how far a hole reaches beyond the labels that changed. An old feature shows, and casts its shadow,
a little beside its label: what is left of it at a hole's rim spreads into the completion."""
OVERLAID_GROWTH = 0.01
"""The same for what is laid over the photo and leaves what is beneath it as it was: glasses, earrings, a hat, and hair
and brows that grow."""
FRAME = 0.014
"""Of the side: how wide the frame of eyeglasses is, which the network draws; through the lenses one sees the photo."""

_BROWS, _SKIN, _HAIR, _HATS = ids_of("l_brow", "r_brow"), ids_of("skin"), ids_of("hair"), ids_of("hat")


def edit_hole(
    reference_ids: Tensor, ids: Tensor, share: float = EDIT_GROWTH, overlaid_share: float = OVERLAID_GROWTH
) -> Tensor:
    """The hole of an edit (N, 1, H, W) float32: where two label maps (N, H, W) differ, grown by a share of the side.

    What is put on over the photo (`OVERLAYS`) needs less room around it, and so do hair and brows that grow: what they
    do not cover stays as it was. Eyeglasses that are put on hide only what is under their frame: eyes and brows show
    through the lenses as they are.
    """
    side = ids.shape[-1]
    radius, overlaid, frame = round(share * side), round(overlaid_share * side), _frame(side)
    differ = (reference_ids != ids)[:, None]
    hole = torch.zeros_like(differ, dtype=torch.float32)
    left, top, right, bottom = box_of(differ)
    around = max(radius, overlaid, frame)  # what is further from the edit has no part in it
    part = index_of(max(0, left - around), max(0, top - around), right + around, bottom + around)
    before, after, differ = reference_ids[part], ids[part], differ[part]
    put_on = differ & _among(after, OVERLAYS) & ~_among(before, OVERLAYS)
    put_on |= differ & _among(after, _BROWS) & _among(before, _SKIN)
    put_on |= differ & _among(after, _HAIR) & ~_among(before, _HATS)  # of a hat that goes, all must go
    seen_through = _lenses(after, frame) & put_on
    hidden = grown(differ & ~put_on, radius) | grown(put_on & ~seen_through, overlaid)
    hole[part] = (hidden & ~seen_through).float()
    return hole


def frame_hole(ids: Tensor, share: float = OVERLAID_GROWTH) -> Tensor:
    """What putting on the eyeglasses of label maps (N, H, W) hides: the hole (N, 1, H, W) float32 of their frames."""
    return (grown(_among(ids, EYEGLASSES), round(share * ids.shape[-1])) & ~lenses(ids)).float()


def lenses(ids: Tensor) -> Tensor:
    """What one sees through (N, 1, H, W) bool: the eyeglasses of label maps (N, H, W), less their frame."""
    return _lenses(ids, _frame(ids.shape[-1]))


def _lenses(ids: Tensor, frame: int) -> Tensor:
    glasses = _among(ids, EYEGLASSES)
    if not glasses.any():
        return glasses
    inside = ~grown(~glasses, frame)
    # Not in a bridge or a temple, however broad it was painted: one sees through what is wide (an opening).
    wide = grown(~grown(~inside, frame), frame)
    return grown(wide, frame // 2) & inside  # an opening by squares cuts what is round


def _frame(side: int) -> int:
    """How wide a frame is, in pixels."""
    return max(1, round(FRAME * side))


def _among(ids: Tensor, members: Iterable[int]) -> Tensor:
    """Which pixels (N, 1, H, W) bool of label maps (N, H, W) have one of some ids."""
    chosen = torch.zeros(NUM_LABELS, dtype=torch.bool, device=ids.device)
    chosen[list(members)] = True
    return chosen[ids.long()][:, None]


def label_hole(ids: Tensor, members: Iterable[int], share: float = EDIT_GROWTH) -> Tensor:
    """The hole (N, 1, H, W) float32 that hides some classes of label maps (N, H, W), grown by a share of the side."""
    return grown(_among(ids, members).float(), round(share * ids.shape[-1]))


def mean_inside(values: Tensor, hole: Tensor) -> Tensor:
    """The mean (N,) of values (N, C, h, w) over a hole (N, 1, H, W), which is scaled to them by area."""
    weights = hole.to(values.dtype)
    if weights.shape[-2:] != values.shape[-2:]:
        weights = F.adaptive_avg_pool2d(weights, values.shape[-2:])
    sums = (values.mean(dim=1, keepdim=True) * weights).sum(dim=(1, 2, 3))
    return sums / weights.sum(dim=(1, 2, 3)).clamp_min(1e-6)


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
    error = push_pull(error, F.adaptive_avg_pool2d(known, size))
    everything = known.amax(dim=(1, 2, 3), keepdim=True) == 0
    part = index_of(*box_of(hole))
    result, drawn = photo.clone(), image[part]
    corrected = (drawn + enlarged(error, (height, width), part)).clamp(-1, 1)
    result[part] = torch.where(hole[part] > 0, torch.where(everything, drawn, corrected), photo[part])
    return result
