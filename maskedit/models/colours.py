"""Smooth colours: what a hole may hold by what is known of its labels' colours. No network, no detail.

Three things are known. The *tints* are the mean colours of the labels in the whole photo as it was before the edit:
lips that an edit hides keep their colour. The *colour layout* tells how they change across the photo, which cheek the
light falls on, what lies where in the background: the Color Layout Descriptor of MPEG-7, of each label for itself. And
nearest to the hole there is what is visible around it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.labels import BY_NAME, MIRROR_PARTNERS, NUM_LABELS, ids_of
from maskedit.models.tensors import box_of, grown, index_of

_COARSE, _FINE = 8, 4
"""Side in pixels of the cells of guesses and of tints: guesses are smooth, so coarse cells do; of coarse ones, lips
would fill too few to have a tint."""
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
NUM_GROUPS = max(GROUPS) + 1
GROUP_INDEX = torch.tensor(GROUPS)
"""`GROUPS` as an index, on the CPU."""
TINT = 4
"""Values of a tint: red, green and blue in [-1, 1], and 1; all 0 for what the photo does not show."""
LAYOUT = 16
"""Cells of a colour layout along each side: enough for light and shadow, too few for any feature's shape."""

_THIN = 0.025
"""Of the side: so far from its edge hair lets skin shine through."""
_THIN_WEIGHT = 0.1
"""What the colour there counts: it is all that is known of a crew cut."""
_HAIR_GROUP = GROUPS[BY_NAME["hair"].id]

_OF_SKIN = ids_of("nose", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip", "neck")
"""Whose colour is guessed from the skin's where it is not known at all."""
_LIKE_SKIN = torch.zeros(NUM_GROUPS, dtype=torch.bool)
_LIKE_SKIN[GROUP_INDEX[list(_OF_SKIN)]] = True


def push_pull(values: Tensor, weights: Tensor) -> Tensor:
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
    above = push_pull(F.adaptive_avg_pool2d(values, smaller), F.adaptive_avg_pool2d(weights, smaller))
    above = F.interpolate(above, size=(height, width), mode="bilinear")
    return (values + _ABOVE * above) / (weights + _ABOVE)


@torch.no_grad()
def colours_of(groups: Tensor, photo: Tensor) -> tuple[Tensor, Tensor]:
    """The colours of each group of labels in a photo: its tint, and its colour layout in `LAYOUT` x `LAYOUT` cells.

    Args:
        groups: (N, G, H, W), see `grouped`, of the photo's own label map, H and W multiples of 4.
        photo: (N, 3, H, W) in [-1, 1].

    Returns:
        Tints (N, G, `TINT`) float32, the mean colours; and layouts (N, G, 4, L, L) float32: red, green and blue times
        their weight, and the weight, 0 where the group is not seen and 1 where it fills the cell.
    """
    values, weights = _cells(groups, photo.float(), None, _FINE)
    cells = torch.cat([values, weights[:, :, None]], dim=2).flatten(1, 2)
    return _means(values, weights), F.adaptive_avg_pool2d(cells, LAYOUT).unflatten(1, (NUM_GROUPS, 4))


def hidden_layout(layout: Tensor, hole: Tensor) -> Tensor:
    """A layout (N, G, 4, L, L) that knows nothing of what lies in a hole (N, 1, H, W)."""
    return layout * (1 - F.adaptive_max_pool2d(hole.float(), LAYOUT))[:, :, None]


def layout_through(layout: Tensor, left: float, top: float, side: float) -> Tensor:
    """The layout (N, G, 4, L, L) of a square of the photo, of which its left and top border and its side are shares."""
    centres = (torch.arange(LAYOUT, device=layout.device) + 0.5) / LAYOUT * side * 2 - 1
    y, x = torch.meshgrid(centres + 2 * top, centres + 2 * left, indexing="ij")
    places = torch.stack([x, y], dim=-1).expand(len(layout), -1, -1, -1)
    seen = F.grid_sample(layout.flatten(1, 2), places, padding_mode="border", align_corners=False)
    return seen.unflatten(1, layout.shape[1:3])


@torch.no_grad()
def label_guess(
    labels: Tensor,
    photo: Tensor,
    hole: Tensor,
    tints: Tensor | None = None,
    layout: Tensor | None = None,
    *,
    inside: bool = False,
) -> tuple[Tensor, Tensor]:
    """What a hole may hold by the colours of the same label: around it, and in the photo as it was before the edit.

    Each group of labels has a colour field of its own, known where the photo shows that label and spread over the
    rest: new hair takes the colour of the hair nearest to it. Far from what is seen, it is its tint.

    Args:
        labels: (N, 19, H, W) one-hot, of what the hole is to hold, H and W multiples of 8.
        photo: (N, 3, H, W) in [-1, 1]; nothing of it that lies in the hole is looked at.
        hole: (N, 1, H, W).
        tints: (N, G, 4), see `colours_of`; those of what is visible when None.
        layout: (N, G, 4, L, L), see `colours_of`; what is visible tells all when None.
        inside: only values inside the holes are computed, which are the same but for rounding.

    Returns:
        The guess (N, 3, H, W) float32 in [-1, 1]; and (N, 1, H, W) float32, what it is worth: 1 where the colour of a
        pixel's label is known right there, 1/2 where it is but a tint, 0 where it is not known at all. There, the guess
        of a part of the face is that of the skin, and else the mean of all that is visible.
    """
    groups, photo, known = grouped(labels), photo.float(), 1 - hole.float()
    height, width = photo.shape[-2:]
    fields, worth = _fields(*_cells(groups, photo, known, _COARSE), known, tints, layout)
    part = index_of(*box_of(hole)) if inside else index_of(0, 0, width, height)
    guess, known_labels, groups = torch.zeros_like(photo), torch.zeros_like(known), groups[part]
    if inside:  # few labels are to be found there
        present = torch.nonzero(groups.amax(dim=(0, 2, 3))).flatten()
        groups, fields, worth = groups[:, present], fields[:, present], worth[:, present]
    guess[part] = torch.stack(
        [(enlarged(fields[:, :, c], (height, width), part) * groups).sum(dim=1) for c in range(3)], dim=1
    )
    known_labels[part] = (enlarged(worth, (height, width), part) * groups).sum(dim=1, keepdim=True)
    return guess, known_labels


def _fields(
    values: Tensor, weights: Tensor, known: Tensor, tints: Tensor | None, layout: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The colours (N, G, 3, h, w) of groups, in all cells, and what they are worth (N, G, h, w).

    ``values`` and ``weights`` as `_cells` gave them, ``known`` (N, 1, H, W) is 1 outside the hole.
    """
    size = weights.shape[-2:]
    means = _means(values, weights)
    mean = values.sum(dim=(1, 3, 4)) / weights.sum(dim=(1, 2, 3))[:, None].clamp_min(1e-6)
    if tints is not None:
        means = torch.where(tints[..., 3:] > 0, tints, means)
    if layout is not None:  # it knows what the hole hides, less finely
        cells = F.interpolate(layout.flatten(1, 2), size=size, mode="bilinear").unflatten(1, layout.shape[1:3])
        cells = cells * (1 - F.adaptive_avg_pool2d(known, size))[:, :, None]
        values, weights = values + cells[:, :, :3], weights + cells[:, :, 3]
    fields = push_pull(values.flatten(1, 2), weights.repeat_interleave(3, dim=1)).view(values.shape)
    own, shown = means[..., :3, None, None], means[..., 3, None, None]  # (N, G, 3, 1, 1) and (N, G, 1, 1)
    near = F.avg_pool2d(weights, (_NEAR, 1), stride=1, padding=(_NEAR // 2, 0))
    near = F.avg_pool2d(near, (1, _NEAR), stride=1, padding=(0, _NEAR // 2)).maximum(weights.sqrt()) / _MUCH
    near = near.clamp_max(1)
    fields = near[:, :, None] * fields + (1 - near[:, :, None]) * own
    skin = GROUP_INDEX[BY_NAME["skin"].id]
    like_skin = _LIKE_SKIN.to(known.device)[:, None, None] & (shown[:, skin, None] > 0)  # (N, G, 1, 1)
    instead = torch.where(like_skin[:, :, None], fields[:, skin, None], mean[:, None, :, None, None])
    return torch.where(shown[:, :, None] > 0, fields, instead), shown * (1 + near) / 2


def grouped(labels: Tensor) -> Tensor:
    """One-hot labels (N, 19, H, W) as one-hot groups (N, G, H, W) float32, G as in `GROUPS`."""
    count, _, height, width = labels.shape
    groups = torch.zeros(count, NUM_GROUPS, height, width, device=labels.device)
    return groups.index_add_(1, GROUP_INDEX.to(labels.device), labels.float())


def _cells(groups: Tensor, photo: Tensor, known: Tensor | None, step: int) -> tuple[Tensor, Tensor]:
    """The colours (N, G, 3, h, w) of groups (N, G, H, W) in cells of some pixels, times their weights (N, G, h, w).

    Cells at a label's border are mixed with what lies beside it, hair there is lighter or darker than hair is: weights
    are squares of the shares of the cells. And of hair, the inner part counts.
    """
    pixels = torch.cat([photo, torch.ones_like(photo[:, :1])], dim=1)
    if known is not None:
        pixels = pixels * known
    groups = groups.clone()
    hair = groups[:, _HAIR_GROUP : _HAIR_GROUP + 1]
    near_edge = grown(1 - hair, round(_THIN * hair.shape[-1]))
    hair *= 1 - (1 - _THIN_WEIGHT) * near_edge
    # The mean over a cell of each group times each channel, as one product of matrices for each cell.
    of_cell = _by_cells(groups, step).transpose(3, 4) @ _by_cells(pixels, step) / step**2  # (N, h, w, G, 4)
    values, shares = of_cell.permute(0, 3, 4, 1, 2).split([3, 1], dim=2)
    return values * shares, shares[:, :, 0].square()


def _by_cells(x: Tensor, step: int) -> Tensor:
    """(N, C, H, W), H and W multiples of ``step``, -> (N, h, w, step * step, C)."""
    x = x.unflatten(3, (-1, step)).unflatten(2, (-1, step))
    return x.permute(0, 2, 4, 3, 5, 1).flatten(3, 4)


def _means(values: Tensor, weights: Tensor) -> Tensor:
    """Tints (N, G, 4) of what `_cells` gave."""
    colours = values.sum(dim=(3, 4)) / weights.sum(dim=(2, 3))[..., None].clamp_min(1e-6)
    return torch.cat([colours, (weights.amax(dim=(2, 3)) > 0).float()[..., None]], dim=2)


def enlarged(field: Tensor, size: tuple[int, int], part: tuple) -> Tensor:
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
