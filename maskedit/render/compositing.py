"""The same person: what an edit changes, laid into the photo; everything else stays the photo itself.

The network draws a similar face, not this one: its colours and fine detail are off everywhere. So it is asked twice,
for the edited label map and for the photo's own. Where the label stayed, the second render tells how far off the
network is at that place, and the photo plus the difference of the two renders keeps every freckle. Where the label
changed there is nothing to compare with; there the error of the same label nearby is taken off the render, spread
smoothly over the gap (push-pull interpolation, Gortler et al., "The Lumigraph", 1996).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_GHOST = 0.015
"""A fraction of the side. So close to a changed label the photo may still show the old feature, beside its label, and
the photo's own detail is not kept."""
_FRESH_FEATHER = 0.02
"""A fraction of the side: beyond `_GHOST`, the photo's own detail comes in again over this width."""
_TRUST = 0.025
"""A fraction of the side: only further than this from a changed label is the render compared with the photo, to learn
how far off the network is."""
_SMOOTH = 0.012
"""Of the side: standard deviation of the blur that keeps fine detail out of the error that is spread."""
_ABOVE = 0.1
"""The weight of what coarser levels say, against 1 for a level's own values."""
_CONTEXT = 0.15
"""Of the side: how far around the edit the network's error is looked at."""
_FEW = 0.001
"""A fraction of the square's pixels: a label that is compared at fewer of them borrows the error of all others."""


@dataclass(frozen=True)
class Blend:
    """How an edit is laid into the photo. Lengths are fractions of the square's side."""

    whole_face: bool = False
    """Show the render everywhere instead of blending it in."""
    detail: bool = True
    """Carry the photo's own fine detail where labels did not change; without, colours are matched only."""
    grow: float = 0.02
    """The edit shows fully up to this far around the changed labels."""
    feather: float = 0.04
    """From there it fades out over this width."""

    def __post_init__(self) -> None:
        if not (0 <= self.grow <= 1 and 0 <= self.feather <= 1):
            raise ValueError(f"grow and feather are fractions of the side, 0 to 1, not {self.grow} and {self.feather}")


WHOLE_FACE = Blend(whole_face=True)


@dataclass(frozen=True, eq=False)
class Composite:
    """An edit laid into the square, and what it takes to lay it into the whole photo.

    At any resolution, the result is
    ``photo + alpha * (replace_mask * (replacement - photo) + (1 - replace_mask) * residual)``.
    """

    image: np.ndarray
    """(S, S, 3) uint8 RGB: the result in the square."""
    alpha: np.ndarray
    """(S, S) float32, 0..1: how much of the edit shows; exactly 0 where the image is the photo, bit for bit."""
    replacement: np.ndarray
    """(S, S, 3) float32, 0..255: what takes the photo's place where ``replace_mask`` is 1; far from edits, anything."""
    residual: np.ndarray
    """(S, S, 3) float32, -255..255: what is added to the photo where ``replace_mask`` is 0."""
    replace_mask: np.ndarray
    """(S, S) float32, 0..1: where the photo's own detail cannot be kept."""
    changed_outside: int
    """The greatest difference of image and photo where ``alpha`` is 0, and no style reaches, 0..255: measured, to be
    shown to the person."""


def compose(
    photo: np.ndarray,
    reference_labels: np.ndarray,
    labels: np.ndarray,
    edited: np.ndarray,
    unedited: np.ndarray,
    blend: Blend = Blend(),
) -> Composite:
    """Lay an edit into the photo so that only what the edit is about changes.

    Args:
        photo: (S, S, 3) uint8 RGB.
        reference_labels: (S, S) uint8 ids, the photo's own.
        labels: (S, S) uint8 ids, edited. Where they equal the photo's own everywhere, the result is the photo.
        edited: (S, S, 3) uint8 RGB, the render of ``labels``.
        unedited: (S, S, 3) uint8 RGB, the render of ``reference_labels``, by the same network and style.
        blend: how.

    Raises:
        ValueError: arrays of other shapes or types.
    """
    _check(photo, reference_labels, labels, edited, unedited)
    side = photo.shape[0]
    alpha, replace_mask = np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
    replacement, residual = np.zeros((side, side, 3), np.float32), np.zeros((side, side, 3), np.float32)
    image = photo.copy()
    changed = reference_labels != labels
    if blend.whole_face:
        alpha[:], replace_mask[:], replacement[:], image[:] = 1, 1, edited, edited
    elif changed.any():
        # A little wider than what shows: whoever enlarges the fields also looks at the neighbours of what shows.
        region = _box_around(changed, margin=(blend.grow + blend.feather) * side + 4)
        distance = _distance(changed[region])
        alpha[region] = _falling(distance, start=blend.grow * side, width=blend.feather * side)
        replace_mask[region] = (
            _falling(distance, start=_GHOST * side, width=_FRESH_FEATHER * side) if blend.detail else 1
        )
        residual[region] = cv2.subtract(edited[region], unedited[region], dtype=cv2.CV_32F)
        replacement[region] = np.clip(edited[region] + _error(photo, unedited, labels, changed, region), 0, 255)
        image[region] = blended(
            photo[region],
            alpha=alpha[region],
            replacement=replacement[region],
            residual=residual[region],
            replace_mask=replace_mask[region],
        )
    outside = (alpha == 0).astype(np.uint8)
    return Composite(
        image, alpha, replacement, residual, replace_mask, int(cv2.norm(image, photo, cv2.NORM_INF, outside))
    )


def blended(
    photo: np.ndarray, *, alpha: np.ndarray, replacement: np.ndarray, residual: np.ndarray, replace_mask: np.ndarray
) -> np.ndarray:
    """The formula of :class:`Composite` on fields of one size: (H, W, 3) uint8, the photo itself where alpha is 0."""
    step = replacement - photo
    step -= residual
    step *= replace_mask[..., None]
    step += residual
    step *= alpha[..., None]
    step += photo
    return np.rint(np.clip(step, 0, 255, out=step), out=step).astype(np.uint8)


def _falling(distance: np.ndarray, *, start: float, width: float) -> np.ndarray:
    """1 up to ``start``, from there smoothly down to exactly 0 at ``start + width``."""
    rest = np.clip((start + max(width, 1e-3) - distance) / max(width, 1e-3), 0, 1).astype(np.float32)
    return rest * rest * (3 - 2 * rest)


def _distance(changed: np.ndarray) -> np.ndarray:
    """(h, w) float32: pixels to the nearest changed one."""
    return cv2.distanceTransform((~changed).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)


def _error(
    photo: np.ndarray, unedited: np.ndarray, labels: np.ndarray, changed: np.ndarray, region: tuple[slice, slice]
) -> np.ndarray:
    """(h, w, 3) float32: in the region, how far the render is from the photo's colours, without fine detail.

    Each label has an error field of its own, learned where that label stayed and spread over the rest: dark hair drawn
    too light tells nothing about the skin that shows where the hair goes.
    """
    side = photo.shape[0]
    around = _grown(region, round(_CONTEXT * side), side)
    height, width = labels[around].shape
    # At half the size, where the labels' edges become a little soft: those which the network draws are, too.
    error = cv2.subtract(cv2.pyrDown(photo[around]), cv2.pyrDown(unedited[around]), dtype=cv2.CV_32F)
    error = np.dstack([error, np.ones(error.shape[:2], np.float32)])
    ids = labels[around][::2, ::2]
    trusted = (_distance(changed[around])[::2, ::2] > _TRUST * side).astype(np.float32)
    mixed = np.zeros((*ids.shape, 3), np.float32)
    for label in np.flatnonzero(np.bincount(labels[region].ravel())).tolist():
        mask = (ids == label).astype(np.float32)
        same = trusted * mask
        others = max(0.0, 1 - 4 * float(same.sum()) / (_FEW * side * side))
        weight = same + others * (trusted - same)
        weighted = cv2.GaussianBlur(cv2.pyrDown(error * weight[..., None]), (0, 0), _SMOOTH * side / 4)
        mixed += cv2.blur(mask, (3, 3))[..., None] * cv2.pyrUp(pulled(weighted), dstsize=ids.shape[::-1])
    mixed = cv2.pyrUp(mixed, dstsize=(width, height))
    rows, columns = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(region, around, strict=True))
    return mixed[rows, columns]


def pulled(weighted: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32 from (h, w, 4), three values times their weight and the weight: the gaps filled smoothly.

    From coarse to fine, each level trusts its own values by their weight and takes the rest from above.
    """
    height, width = weighted.shape[:2]
    if min(height, width) <= 2:
        total = weighted.sum(axis=(0, 1))
        return np.broadcast_to(total[:3] / max(total[3], 1e-6), (height, width, 3)).astype(np.float32)
    above = cv2.pyrUp(pulled(cv2.pyrDown(weighted)), dstsize=(width, height))
    return (weighted[..., :3] + _ABOVE * above) / (weighted[..., 3:] + _ABOVE)


def _box_around(mask: np.ndarray, *, margin: float) -> tuple[slice, slice]:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    box = slice(y, y + height), slice(x, x + width)
    return _grown(box, int(np.ceil(margin)), mask.shape[0])


def _grown(box: tuple[slice, slice], margin: int, side: int) -> tuple[slice, slice]:
    rows, columns = (slice(max(0, each.start - margin), min(side, each.stop + margin)) for each in box)
    return rows, columns


def _check(
    photo: np.ndarray, reference_labels: np.ndarray, labels: np.ndarray, edited: np.ndarray, unedited: np.ndarray
) -> None:
    side = photo.shape[0]
    for array, shape in (
        (photo, (side, side, 3)),
        (reference_labels, (side, side)),
        (labels, (side, side)),
        (edited, (side, side, 3)),
        (unedited, (side, side, 3)),
    ):
        if array.shape != shape or array.dtype != np.uint8:
            raise ValueError(f"a composite takes arrays of uint8 of one square; {array.dtype} {array.shape} came")
