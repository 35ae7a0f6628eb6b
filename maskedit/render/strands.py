"""Strands of hair and brows: noise drawn out along the way hair runs, with the contrast that the photo's own hair has.

Copied blocks of hair break every strand at their borders. Strands are better drawn: white noise is smeared along a
field of directions (line integral convolution, Cabral and Leedom, SIGGRAPH 1993), at several widths of strands. How
strong each width is, and how light and dark strands are tinted, is measured in the photo's hair. At the rim of the hole
the strands go on as they run in the photo; further away they hang down.

Only numpy and OpenCV; lengths are shares of the photo's side, but for erosions by a pixel or two.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from maskedit.labels import ids_of
from maskedit.render.compositing import pulled
from maskedit.render.fields import blurred, gaussian, grey_of

WIDTHS = (0.0012, 0.0024, 0.0048, 0.0096)
"""Standard deviations of the noise: from single strands to locks."""
DETAIL = 0.02
"""The standard deviation of the blur that parts strands from colour and shade, which are the network's."""
DIRECTION = 0.028
"""Over this width directions are averaged."""
HANGING = 0.04
"""So far from the photo's own strands, new ones hang down as much as they go on."""
STRENGTH = 0.7
"""Of the photo's contrast: what the network drew has some of its own."""
_FEWEST = 400
"""The fewest pixels of hair that its look is measured from."""


@dataclass(frozen=True, eq=False)
class Strands:
    """Labels that have strands, and what these are like."""

    members: tuple[int, ...]
    length: float
    """How far a strand is drawn out on either side."""
    smooth: float
    """The standard deviation of the blur of what the network drew, whose own strands are a weave."""
    wisps: float
    """So far beyond the painted edge single strands reach, and so far inside there are gaps between them."""
    stray: tuple[tuple[float, float], ...]
    """Over which width strands stray together, and the standard deviation of their angle in radians."""
    contrast: float
    """As a share of the brightness, where it is not measured."""
    shares: tuple[float, ...]
    """How much of it each of `WIDTHS` has, likewise."""
    measured: bool
    """Whether the photo has enough of it to measure the contrast: a brow is mostly edge."""


STRANDS = (
    Strands(
        ids_of("l_brow", "r_brow"), length=0.014, smooth=0.004, wisps=0.006, stray=((0.02, 0.3), (0.004, 0.15)),
        contrast=0.06, shares=(0.6, 0.9, 0.6, 0.2), measured=False,
    ),
    Strands(
        ids_of("hair"), length=0.05, smooth=0.008, wisps=0.01, stray=((0.05, 0.1), (0.006, 0.04)),
        contrast=0.056, shares=(0.5, 0.6, 0.8, 1.0), measured=True,
    ),
)  # fmt: skip


def with_strands(
    result: np.ndarray,
    drawn: np.ndarray,
    photo: np.ndarray,
    hole: np.ndarray,
    target: np.ndarray,
    source: np.ndarray,
    kind: Strands,
) -> None:
    """Draw strands into ``result`` (S, S, 3) float32, in place.

    Args:
        result: what is behind the hair is there already.
        drawn: (S, S, 3) float32, what the network drew.
        photo: (S, S, 3) float32.
        hole: (S, S) bool, what was redrawn; nothing else is changed.
        target: (S, S) bool, new hair, in the hole.
        source: (S, S) bool, the photo's hair, outside it.
        kind: what its strands are like.
    """
    side = len(photo)
    reach = round(kind.wisps * side)
    x, y, width, height = cv2.boundingRect(target.astype(np.uint8))
    room = round((kind.length + DIRECTION) * side)
    box = slice(max(0, y - room), y + height + room), slice(max(0, x - room), x + width + room)
    here, seen, part = target[box], source[box], result[box]
    picture, shown = np.where(here[..., None], drawn[box], photo[box]), (here | seen).astype(np.float32)
    smooth = blurred(picture, shown, kind.smooth * side)
    bands = _drawn_out(_directions(grey_of(photo), source, kind)[box], side, kind.length)
    bands /= np.maximum(bands[here].std(axis=0), 1e-6)
    contrast, shares, tint = _look(photo, source, kind)
    light, strands = grey_of(smooth), bands @ shares
    strands *= contrast * light / max(float(strands[here].std()), 1e-6)
    tint = smooth / np.maximum(light, 1)[..., None] if tint is None else tint
    share = _cover(here | seen, strands, here, reach)
    behind = blurred(part, (~here & ~seen).astype(np.float32), max(1.0, reach / 2))
    behind = np.where(here[..., None], behind, part)
    mixed = share[..., None] * (smooth + strands[..., None] * tint) + (1 - share[..., None]) * behind
    around = cv2.dilate(here.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    around &= hole[box] & ~seen
    part[around] = mixed[around]


def _look(photo: np.ndarray, source: np.ndarray, kind: Strands) -> tuple[float, np.ndarray, np.ndarray | None]:
    """Of the photo's hair: contrast relative to its brightness, how much of it each width has (4,), and how strands are
    tinted (3,)."""
    inner = cv2.erode(source.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    side = len(photo)
    if not kind.measured or inner.sum() < _FEWEST:
        return kind.contrast, np.array(kind.shares, np.float32), None
    mask = source.astype(np.float32)
    smooth = blurred(photo, mask, DETAIL * side)
    detail, light = (photo - smooth) * mask[..., None], max(float(grey_of(smooth)[inner].mean()), 1.0)
    grey = grey_of(detail)
    shares = np.array([each[inner].std() for each in _bands(grey, side)], np.float32)
    values, own = grey[inner], detail[inner]
    tint = (own * values[:, None]).mean(axis=0) / max(float(np.square(values).mean()), 1e-3)
    # By the median: a few highlights and shadows are no measure for all strands.
    contrast = STRENGTH * 1.4826 * float(np.median(np.abs(values))) / light
    return contrast, shares, tint.astype(np.float32)


def _bands(field: np.ndarray, side: int) -> list[np.ndarray]:
    """A field (h, w) as differences of Gaussians, one for each width."""
    levels = [_level(field, number, side) for number in range(len(WIDTHS) + 1)]
    return [fine - coarse for fine, coarse in pairwise(levels)]


def _level(field: np.ndarray, number: int, side: int) -> np.ndarray:
    """A field (h, w) blurred by one of the widths; the last is twice the widest."""
    width = (*WIDTHS, 2 * WIDTHS[-1])[number]
    return cv2.GaussianBlur(field, (0, 0), max(0.4, width * side))


def _directions(grey: np.ndarray, source: np.ndarray, kind: Strands) -> np.ndarray:
    """(S, S) complex64: exp(2 i angle) of the way strands run; beyond the photo's hair as at its nearest, then down."""
    side, inner = len(grey), cv2.erode(source.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    # The structure tensor (Bigun and Granlund 1987): a double angle, and how sure it is.
    parts = [across * across - down * down, 2 * across * down, across * across + down * down]
    real, imaginary, energy = cv2.split(gaussian(np.dstack([part * inner for part in parts]), DIRECTION * side))
    # Strands run across the gradient: the double angle turns by half a circle.
    flow = -(real + 1j * imaginary) / (energy + 1e-3)
    weight = source.astype(np.float32)
    known = np.dstack([flow.real * weight, flow.imag * weight, np.zeros_like(weight), weight])
    spread = pulled(known.astype(np.float32))
    far = cv2.distanceTransform((~source).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    on = np.exp(-far / (HANGING * side) * np.log(2))
    # Downwards, but less surely than the photo's own: a double angle of half a turn.
    flow = np.where(source, flow, on * (spread[..., 0] + 1j * spread[..., 1]) - (1 - on) * 0.8)
    random, angle = np.random.default_rng(1), np.angle(flow)
    for width, deviation in kind.stray:
        stray = gaussian(random.standard_normal((*grey.shape, 1)).astype(np.float32), width * side)
        angle += 2 * deviation * stray.reshape(grey.shape) / max(float(stray.std()), 1e-6)
    return np.exp(1j * angle).astype(np.complex64)


def _drawn_out(directions: np.ndarray, side: int, length: float) -> np.ndarray:
    """(h, w, 4) float32: noise of each width, smeared along directions (h, w) as `_directions` gives them."""
    random, shape = np.random.default_rng(0), directions.shape
    noises = []
    for number in range(len(WIDTHS)):
        # One of its own for each width: strands of two widths have nothing to do with each other.
        white = random.standard_normal(shape).astype(np.float32)
        noises.append(_level(white, number, side) - _level(white, number + 1, side))
    noise = np.dstack(noises)
    field = np.dstack([directions.real, directions.imag])
    start = np.sqrt(directions)
    place = np.dstack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))).astype(np.float32)
    total, steps = noise.copy(), max(4, round(length * side))
    for sense in (1, -1):
        at, heading = place.copy(), sense * start
        for step in range(1, steps + 1):
            at += np.dstack([heading.real, heading.imag])
            maps = at[..., 0], at[..., 1]
            ahead = cv2.remap(field, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            # A direction has no sense: the one that goes on is taken.
            ahead = np.sqrt(ahead[..., 0] + 1j * ahead[..., 1])
            heading = np.where((ahead * heading.conj()).real < 0, -ahead, ahead)
            weight = 0.5 + 0.5 * np.cos(np.pi * step / (steps + 1))
            total += weight * cv2.remap(noise, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return total


def _cover(hair: np.ndarray, strands: np.ndarray, target: np.ndarray, reach: float) -> np.ndarray:
    """How much of each pixel (h, w) float32 strands cover: all inside, none outside, and light ones reach further."""
    inside, outside = (
        cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) for mask in (hair, ~hair)
    )
    strands = cv2.GaussianBlur(strands, (0, 0), max(0.5, reach / 4))
    strands = strands / max(float(strands[target].std()), 1e-3)
    reach = max(reach, 1)
    # At the reach nothing is left of any strand: further out nothing may change.
    uneven = 0.35 * np.clip(strands, -1.5, 1.5) * np.clip(1 - outside / reach, 0, 1)
    share = np.clip((inside - outside) / (2 * reach) + 0.5 + uneven, 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)
