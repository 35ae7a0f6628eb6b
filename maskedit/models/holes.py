"""Holes: the part of a photo that an edit redraws, what a smooth guess puts there, and how a completion is laid in.

A hole is (N, 1, H, W) float, 1 where the photo is hidden and 0 where it stays. Training, evaluation and the editor
all cut, guess and lay in with these functions: a network sees when it is used what it saw when it was trained.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.labels import BY_NAME, EYEGLASSES, MIRROR_PARTNERS, NUM_LABELS, OVERLAYS, ids_of

EDIT_GROWTH = 0.025
"""Of the side: how far a hole reaches beyond the labels that changed. An old feature shows, and casts its shadow,
a little beside its label: what is left of it at a hole's rim spreads into the completion."""
OVERLAID_GROWTH = 0.01
"""The same for what is laid over the photo and leaves what is beneath it as it was: glasses, earrings, a hat."""
FRAME = 0.014
"""Of the side: how wide the frame of eyeglasses is, which the network draws; through the lenses one sees the photo."""
_COARSE = 8
"""Guesses are made at this fraction of the resolution: they are smooth, and cost next to nothing there."""
_NEAR = 9
_MUCH = 0.25
"""Where less than this share of so many cells around shows a label, its mean colour is the better guess than the last
of it that is seen: new hair is as dark as the hair, not as its shadow."""
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

_BROWS, _SKIN = ids_of("l_brow", "r_brow"), ids_of("skin")
_OF_SKIN = ids_of("nose", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip", "neck")
"""Whose colour is guessed from the skin's where the photo does not show them at all."""


def grown(mask: Tensor, radius: int) -> Tensor:
    """A mask (N, 1, H, W) of zeros and ones, bool or float, grown by ``radius`` pixels on every side (a square)."""
    if radius < 1:
        return mask
    kernel = 2 * radius + 1
    if mask.device.type == "cpu":  # OpenCV takes a hundredth of the time
        maps = mask[:, 0].to(torch.uint8).numpy()
        wider = np.stack([cv2.dilate(each, np.ones((kernel, kernel), np.uint8)) for each in maps])
        return torch.from_numpy(wider)[:, None].to(mask.dtype)
    x = F.max_pool2d(mask.float(), (kernel, 1), stride=1, padding=(radius, 0))
    return F.max_pool2d(x, (1, kernel), stride=1, padding=(0, radius)).to(mask.dtype)


def box_of(mask: Tensor) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, the last two exclusive, of what a mask (N, 1, H, W) marks; of nothing, all of it."""
    rows, columns = (torch.nonzero(mask.amax(dim=(0, 1, axis))).flatten() for axis in (3, 2))
    if not len(rows):
        return 0, 0, mask.shape[-1], mask.shape[-2]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def edit_hole(
    reference_ids: Tensor, ids: Tensor, share: float = EDIT_GROWTH, overlaid_share: float = OVERLAID_GROWTH
) -> Tensor:
    """The hole of an edit (N, 1, H, W) float32: where two label maps (N, H, W) differ, grown by a share of the side.

    What is put on over the photo (`OVERLAYS`) needs less room around it, and so do brows that grow: the brow that was
    there stays. Eyeglasses that are put on hide only what is under their frame: eyes and brows show through the lenses
    as they are.
    """
    side = ids.shape[-1]
    radius, overlaid, frame = round(share * side), round(overlaid_share * side), _frame(side)
    differ = (reference_ids != ids)[:, None]
    hole = torch.zeros_like(differ, dtype=torch.float32)
    left, top, right, bottom = box_of(differ)
    around = max(radius, overlaid, frame)  # what is further from the edit has no part in it
    part = _index(max(0, left - around), max(0, top - around), right + around, bottom + around)
    before, after, differ = reference_ids[part], ids[part], differ[part]
    put_on = differ & _among(after, OVERLAYS) & ~_among(before, OVERLAYS)
    put_on |= differ & _among(after, _BROWS) & _among(before, _SKIN)
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
    return ~grown(~_among(ids, EYEGLASSES), frame)


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
def label_guess(labels: Tensor, photo: Tensor, hole: Tensor, *, inside: bool = False) -> tuple[Tensor, Tensor]:
    """What a hole may hold by the colours of the same label around it: no network, no detail.

    Each group of labels has a colour field of its own, known where the photo shows that label and spread over the
    rest: new hair takes the colour of the hair nearest to it.

    Args:
        labels: (N, 19, H, W) one-hot, of what the hole is to hold, H and W multiples of 8.
        photo: (N, 3, H, W) in [-1, 1]; nothing of it that lies in the hole is looked at.
        hole: (N, 1, H, W).
        inside: of use in the holes alone, and nothing in particular elsewhere; there the same, but for rounding.

    Returns:
        The guess (N, 3, H, W) float32 in [-1, 1]; and (N, 1, H, W) float32, 1 where the photo shows a pixel's label
        somewhere outside the hole. Where it does not, the guess of a part of the face is that of the skin, and else
        the mean of all that is visible.
    """
    labels, photo, known = labels.float(), photo.float(), 1 - hole.float()
    count, _, height, width = photo.shape
    index = torch.tensor(GROUPS, device=labels.device)
    groups = labels.new_zeros(count, max(GROUPS) + 1, height, width).index_add_(1, index, labels)
    size = (height // _COARSE, width // _COARSE)
    weights = F.adaptive_avg_pool2d(groups * known, size)
    values = torch.stack([F.adaptive_avg_pool2d(groups * (known * photo[:, c : c + 1]), size) for c in range(3)], dim=2)
    # Cells at a label's border are mixed with what lies beside it: hair there is lighter or darker than hair is.
    values, weights = values * weights[:, :, None], weights.square()
    flat = (count, -1, *size)
    fields = spread(values.view(flat), weights.repeat_interleave(3, dim=1)).view(values.shape)  # (N, G, 3, h, w)
    own = values.sum(dim=(3, 4)) / weights.sum(dim=(2, 3))[..., None].clamp_min(1e-6)  # (N, G, 3)
    near = (F.avg_pool2d(weights, _NEAR, stride=1, padding=_NEAR // 2) / _MUCH).clamp_max(1)[:, :, None]
    fields = near * fields + (1 - near) * own[..., None, None]
    shown = (weights.amax(dim=(2, 3), keepdim=True) > 0).float()  # (N, G, 1, 1)
    mean = values.sum(dim=(1, 3, 4)) / weights.sum(dim=(1, 2, 3))[:, None].clamp_min(1e-6)
    skin = index[BY_NAME["skin"].id]
    like_skin = torch.zeros(weights.shape[1], 1, 1, dtype=torch.bool, device=labels.device)
    like_skin[index[list(_OF_SKIN)]] = True
    like_skin = like_skin & (shown[:, skin, None] > 0)  # (N, G, 1, 1)
    instead = torch.where(like_skin[:, :, None], fields[:, skin, None], mean[:, None, :, None, None])
    fields = torch.where(shown[:, :, None] > 0, fields, instead)
    part = _index(*box_of(hole)) if inside else _index(0, 0, width, height)
    guess, known_labels, groups = torch.zeros_like(photo), torch.zeros_like(known), groups[part]
    if inside:  # few labels are to be found there
        present = torch.nonzero(groups.amax(dim=(0, 2, 3))).flatten()
        groups, fields, shown = groups[:, present], fields[:, present], shown[:, present]
    guess[part] = torch.stack(
        [(_enlarged(fields[:, :, c], (height, width), part) * groups).sum(dim=1) for c in range(3)], dim=1
    )
    known_labels[part] = (groups * shown).sum(dim=1, keepdim=True)
    return guess, known_labels


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
    everything = known.amax(dim=(1, 2, 3), keepdim=True) == 0
    part = _index(*box_of(hole))
    result, drawn = photo.clone(), image[part]
    corrected = (drawn + _enlarged(error, (height, width), part)).clamp(-1, 1)
    result[part] = torch.where(hole[part] > 0, torch.where(everything, drawn, corrected), photo[part])
    return result


def _enlarged(field: Tensor, size: tuple[int, int], part: tuple) -> Tensor:
    """A part, as an index, of (N, C, h, w) float32 enlarged to a size bilinearly; little else is computed."""
    _, rows, columns = part
    step = size[0] // field.shape[-2]
    if (step * field.shape[-2], step * field.shape[-1]) != size:
        return F.interpolate(field, size=size, mode="bilinear")[part]
    # A pixel lies between its own cell and the one before or after it. Whole rows: torch rounds shorter ones otherwise.
    first, last = max(0, rows.start // step - 1), (rows.stop - 1) // step + 2
    near = field[..., first:last, :]
    enlarged = F.interpolate(near, size=(step * near.shape[-2], size[1]), mode="bilinear")
    return enlarged[..., rows.start - step * first : rows.stop - step * first, columns]


def _index(left: int, top: int, right: int, bottom: int) -> tuple:
    """A box as an index of the last two axes."""
    return ..., slice(top, bottom), slice(left, right)
