"""Sliders that shape a face: each is a pure function of a label map and an amount.

``SHAPES`` names them. All of them find the face's points in the label map itself, move regions smoothly, and leave
everything alone that is not theirs: a smile moves lips over skin, a wider jaw covers the hair behind it. An amount of 0
is the map itself, bit for bit. Depends on numpy and OpenCV only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from maskedit.document.hair import hair_length, hair_volume
from maskedit.document.history import Box, bounds
from maskedit.document.transfer import nearest_ids
from maskedit.document.warps import (
    column_edges,
    grid,
    moved_over,
    shares,
    smooth_step,
    smoothed,
    without,
)
from maskedit.labels import ids_of

SKIN, NOSE, GLASSES, MOUTH, UPPER, LOWER, HAIR = ids_of("skin", "nose", "eye_g", "mouth", "u_lip", "l_lip", "hair")
EYES, BROWS = ids_of("l_eye", "r_eye"), ids_of("l_brow", "r_brow")
LIPS, MOUTHS = (UPPER, LOWER), (MOUTH, UPPER, LOWER)
FEATURES = (NOSE, GLASSES, *EYES, *BROWS, *MOUTHS)
FACE = (SKIN, *FEATURES)
BEHIND = ids_of("background", "hair", "neck", "cloth", "l_ear", "r_ear")
UNDER_GLASSES = (SKIN, GLASSES)
"""What lies around an eye or a brow."""

FEWEST = 6
"""Pixels that make a part of a face; fewer are noise."""


# The face's points --------------------------------------------------------------------------------------------------


def box_of(labels: np.ndarray, members: Sequence[int]) -> Box | None:
    """The box of some classes; None where there is next to nothing of them."""
    mask = np.isin(labels, members)
    return bounds(mask) if np.count_nonzero(mask) >= FEWEST else None


def middle_of(labels: np.ndarray, members: Sequence[int]) -> tuple[float, float] | None:
    """(x, y), the centre of gravity of some classes; None likewise."""
    rows, columns = np.nonzero(np.isin(labels, members))
    return (float(columns.mean()), float(rows.mean())) if len(rows) >= FEWEST else None


def unit_of(labels: np.ndarray) -> float:
    """The distance between the eyes in pixels, which amounts are measured by; without eyes half the face's width."""
    eyes = [middle_of(labels, (eye,)) for eye in EYES]
    if None not in eyes:
        return max(4.0, float(np.hypot(eyes[0][0] - eyes[1][0], eyes[0][1] - eyes[1][1])))
    face = box_of(labels, FACE)
    return max(4.0, 0.47 * (labels.shape[1] if face is None else face.width))


def _around(box: Box, reach: float, labels: np.ndarray) -> Box:
    """A box and so many pixels on each side of it, as far as the map goes."""
    by = int(np.ceil(reach)) + 1
    wide = Box(box.x0 - by, box.y0 - by, box.x1 + by, box.y1 + by)
    return wide.clipped(labels.shape[1], labels.shape[0])


# Mouth --------------------------------------------------------------------------------------------------------------


def smile(labels: np.ndarray, amount: float) -> np.ndarray:
    """The corners of the mouth move up and apart; down and together for a negative amount."""
    inner, unit = box_of(labels, MOUTHS), unit_of(labels)
    half, (middle, _) = inner.width / 2, middle_of(labels, MOUTHS)
    middle = 0.5 * middle + 0.25 * (inner.x0 + inner.x1)
    box = _around(inner, 0.4 * unit, labels)
    x, _ = grid(box)
    wider, strength = (1 + 0.2 * amount, 0.3) if amount > 0 else (1 + 0.08 * amount, 0.2)
    across = (x - middle) / wider + middle - x
    lift = strength * half * amount * (np.abs((x - middle) / (half * wider)) ** 1.8 - 0.3)
    return _mouth(labels, across, lift, box)


def mouth_open(labels: np.ndarray, amount: float) -> np.ndarray:
    """The lips part, and the inside of the mouth is seen between them; a negative amount closes what is open."""
    inner = box_of(labels, MOUTHS)
    reach = 0.35 * inner.width
    box = _around(inner, reach, labels)
    x, y = grid(box)
    over, under = _seam(labels, inner, box)
    away = np.clip(np.abs(x - (inner.x0 + inner.x1 - 1) / 2) / (0.48 * inner.width), 0, 1)
    opened = amount * reach * (1 - away**2.5) if amount > 0 else amount * (under - over)
    new_over, new_under = over - 0.15 * opened, under + 0.85 * opened
    down = np.where(y < (new_over + new_under) / 2, over - new_over, under - new_under)
    came = shares(labels, MOUTHS, 0 * x, down, box)
    # Never more of the old inside than there is room for.
    inside = np.clip(np.minimum(y + 0.5 - new_over, new_under - y + 0.5), 0, 1)
    inside = np.where(new_under - new_over > 0.5, inside, 0)
    came = np.concatenate([(255 * inside)[None], came[1:] * (1 - inside)]).round().astype(np.uint8)
    return moved_over(labels, MOUTHS, came, box)


def lip_fullness(labels: np.ndarray, amount: float) -> np.ndarray:
    """Both lips grow away from where they meet, or towards it."""
    inner = box_of(labels, MOUTHS)
    box = _around(inner, 0.5 * inner.height, labels)
    _, y = grid(box)
    over, under = _seam(labels, inner, box)
    factor = 1.55**amount
    outside = np.minimum(y - over, 0) + np.maximum(y - under, 0)
    return _mouth(labels, 0 * y, outside / factor - outside, box)


def _mouth(labels: np.ndarray, across: np.ndarray, down: np.ndarray, box: Box) -> np.ndarray:
    return moved_over(labels, MOUTHS, shares(labels, MOUTHS, across, down, box), box)


def _seam(labels: np.ndarray, inner: Box, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Where the upper lip ends and the lower one begins, in each column of a box: rows (1, w) float32, alike where the
    mouth is closed."""
    top, bottom = column_edges(labels == MOUTH)
    _, upper = column_edges(labels == UPPER)
    lower, _ = column_edges(labels == LOWER)
    closed = (upper + lower) / 2
    over, under = np.where(np.isnan(top), closed, top - 0.5), np.where(np.isnan(bottom), closed, bottom + 0.5)
    if np.isnan(over).all():  # one lip alone
        over = under = np.where(np.isnan(upper), lower - 0.5, upper + 0.5)
    for column in (inner.x0, inner.x1 - 1):  # where the lips meet
        if np.isnan(over[column]):
            over[column] = under[column] = np.flatnonzero(np.isin(labels[:, column], MOUTHS)).mean()
    over, under = (smoothed(each, 0.02 * inner.width)[None, box.x0 : box.x1] for each in (over, under))
    return over, np.maximum(over, under)


# Brows and eyes -----------------------------------------------------------------------------------------------------


def brow_height(labels: np.ndarray, amount: float) -> np.ndarray:
    """The brows rise or sink, but never into the eyes."""
    unit, eyes, result = unit_of(labels), box_of(labels, EYES), labels
    for brow in BROWS:
        inner = box_of(labels, (brow,))
        if inner is None:
            continue
        if amount > 0:  # up to the hair, and a little into a fringe that touches the brow
            room = np.clip(_clear_above(labels, inner, HAIR), 0.08 * unit, 0.2 * unit)
        else:
            room = 0.14 * unit if eyes is None else np.clip(eyes.y0 - inner.y1 + 0.35 * inner.height, 0, 0.14 * unit)
        rise = amount * float(room)
        box = _around(inner, abs(rise), labels)
        came = shares(result, (brow,), np.float32(0), np.full((box.height, box.width), rise, np.float32), box)
        result = moved_over(result, (brow,), came, box, over=(*UNDER_GLASSES, HAIR), fill=UNDER_GLASSES)
    return result


def _clear_above(labels: np.ndarray, inner: Box, what: int) -> float:
    """How many rows above a box a class ends, in the median over its columns; many where there is none."""
    lowest = column_edges((labels == what)[: inner.y0 + 1, inner.x0 : inner.x1])[1]
    return float(np.median(np.where(np.isnan(lowest), len(labels), inner.y0 - lowest)))


def brow_thickness(labels: np.ndarray, amount: float) -> np.ndarray:
    """The brows grow thicker or thinner about the line along their middle."""
    result = labels
    for brow in BROWS:
        inner = box_of(labels, (brow,))
        if inner is not None:
            line = _line(labels == brow, 0.06 * inner.width)
            result = _stretched(result, brow, inner, line, across=1, down=1.7**amount)
    return result


def eye_openness(labels: np.ndarray, amount: float) -> np.ndarray:
    """The lids open or close about the line from corner to corner."""
    return _eyes(labels, across=1, down=1 + 0.4 * amount if amount > 0 else 1 + 0.8 * amount)


def eye_size(labels: np.ndarray, amount: float) -> np.ndarray:
    """The eyes grow or shrink about their middles."""
    return _eyes(labels, across=1.25**amount, down=1.25**amount)


def _eyes(labels: np.ndarray, *, across: float, down: float) -> np.ndarray:
    result = labels
    for eye in EYES:
        inner = box_of(labels, (eye,))
        if inner is not None:
            rows, columns = np.nonzero(labels == eye)
            slope, start = np.polyfit(columns, rows, 1) if inner.width > 2 else (0.0, rows.mean())
            line = (start + slope * np.arange(labels.shape[1])).astype(np.float32)
            result = _stretched(result, eye, inner, line, across=across, down=down)
    return result


def _line(mask: np.ndarray, sigma: float) -> np.ndarray:
    """The row of a region's middle in each column, (W,) float32."""
    top, bottom = column_edges(mask)
    return smoothed((top + bottom) / 2, sigma)


def _stretched(
    labels: np.ndarray, part: int, inner: Box, line: np.ndarray, *, across: float, down: float
) -> np.ndarray:
    """One part of the face larger or smaller about a line along it: the row (W,) of each column."""
    box = _around(inner, max(0.5 * (across - 1) * inner.width, (down - 1) * inner.height, 0), labels)
    x, y = grid(box)
    middle = (inner.x0 + inner.x1 - 1) / 2
    from_x = middle + (x - middle) / across
    there = np.interp(from_x[0], np.arange(len(line)), line)[None].astype(np.float32)
    here = line[None, box.x0 : box.x1]
    came = shares(labels, (part,), from_x - x, there + (y - here) / down - y, box)
    return moved_over(labels, (part,), came, box, over=UNDER_GLASSES, fill=UNDER_GLASSES)


# Nose, jaw, chin ----------------------------------------------------------------------------------------------------


def nose_width(labels: np.ndarray, amount: float) -> np.ndarray:
    """The nose grows wider or narrower, most at its wings and not at all between the eyes."""
    inner = box_of(labels, (NOSE,))
    box = _around(inner, 0.3 * inner.width, labels)
    x, y = grid(box)
    left, right = column_edges((labels == NOSE).T)
    middle = smoothed((left + right) / 2, 0.1 * inner.height)[box.y0 : box.y1, None]
    factor = 1.5 ** (amount * smooth_step(y, inner.y0, inner.y0 + 0.8 * inner.height))
    came = shares(labels, (NOSE,), middle + (x - middle) / factor - x, 0 * y, box)
    return moved_over(labels, (NOSE,), came, box)


def jaw_width(labels: np.ndarray, amount: float) -> np.ndarray:
    """The outline of the lower face moves in or out; the chin's tip stays."""
    inner, middle, half, eyes, lips = _lower_face(labels)
    below = inner.y1 - lips
    box = Box(0, 0, labels.shape[1], labels.shape[0])
    x, y = grid(box)
    from_middle = (x - middle) / half
    beside = smooth_step(np.abs(from_middle), 0.3, 1.0) * smooth_step(np.abs(from_middle), 2.0, 1.1)
    along = smooth_step(y, eyes, lips) * smooth_step(y, inner.y1 + 1.2 * below, inner.y1)
    return _outlined(labels, -0.17 * half * amount * np.sign(from_middle) * beside * along, 0 * x + 0 * y, box)


def chin(labels: np.ndarray, amount: float) -> np.ndarray:
    """The chin moves down or up, and the jaw with it."""
    inner, middle, half, _, lips = _lower_face(labels)
    nose = box_of(labels, (NOSE,))
    start = lips if nose is None else nose.y1
    box = Box(0, 0, labels.shape[1], labels.shape[0])
    x, y = grid(box)
    way, room = 0.23 * (inner.y1 - start), len(labels) - 1 - inner.y1
    # What rises with the chin is stretched, down to the picture's lower edge at most: beyond it nothing is known.
    way = min(way, 0.5 * room) if amount < 0 else way
    end = inner.y1 + (min(4 * way, room) if amount < 0 else 4 * way)
    along = smooth_step(y, start, inner.y1) * smooth_step(y, end, inner.y1)
    beside = smooth_step(np.abs(x - middle) / half, 1.9, 1.0)
    return _outlined(labels, 0 * x + 0 * y, -way * amount * along * beside, box)


def _lower_face(labels: np.ndarray) -> tuple[Box, float, float, float, float]:
    """The face's box; its middle and half its width at the mouth; the rows of eyes and mouth; all in pixels."""
    inner = box_of(labels, FACE)
    eyes, lips = middle_of(labels, EYES), middle_of(labels, MOUTHS)
    eye_row = inner.y0 + 0.4 * inner.height if eyes is None else eyes[1]
    lip_row = inner.y0 + 0.75 * inner.height if lips is None else lips[1]
    row = np.flatnonzero(np.isin(labels[int(lip_row)], FACE))
    left, right = (inner.x0, inner.x1) if len(row) < FEWEST else (int(row[0]), int(row[-1]) + 1)
    return inner, (left + right) / 2, max((right - left) / 2, 2.0), eye_row, lip_row


def _outlined(labels: np.ndarray, across: np.ndarray, down: np.ndarray, box: Box) -> np.ndarray:
    """The face's outline moved, and its parts where they lay. What is around it stays, but where the face covers it
    now; where the face has been, the nearest of what lies behind faces comes forth."""
    skin = shares(without(labels, FEATURES), (SKIN,), across, down, box)[0] > 127
    result = np.where(skin & ~np.isin(labels, FEATURES), np.uint8(SKIN), labels)
    bare = np.isin(labels, FACE) & ~skin
    if not bare.any():
        return result
    # Maps often have a seam of background around the face, which would come forth as specks.
    kernel = np.ones((2 * round(0.004 * len(labels)) + 1,) * 2, np.uint8)
    behind = np.zeros(labels.shape, bool)
    for id in BEHIND:
        behind |= cv2.morphologyEx((labels == id).astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0
    seam = np.isin(labels, BEHIND) & ~behind & (cv2.dilate(bare.astype(np.uint8), kernel) > 0)
    return np.where(bare | (seam & ~skin), nearest_ids(labels, behind), result) if behind.any() else result


# The table ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """One slider."""

    title: str
    """What a person reads."""
    tip: str
    apply: Callable[[np.ndarray, float], np.ndarray]
    """A map (H, W) uint8 and an amount, ``lowest`` to 1 and not 0, -> another map, as a new array."""
    needs: tuple[int, ...]
    """The map must show one of these classes."""
    missing: str
    """What it lacks otherwise, for a person."""
    lowest: float = -1.0


SHAPES: dict[str, Shape] = {
    "smile": Shape("Smile", "The corners of the mouth up or down", smile, MOUTHS, "no mouth"),
    "mouth_open": Shape("Mouth open", "Part the lips, or close them", mouth_open, LIPS, "no lips"),
    "lip_fullness": Shape("Lip fullness", "Fuller or thinner lips", lip_fullness, LIPS, "no lips"),
    "brow_height": Shape("Brow height", "Raise or lower the brows", brow_height, BROWS, "no brows"),
    "brow_thickness": Shape("Brow thickness", "Thicker or thinner brows", brow_thickness, BROWS, "no brows"),
    "eye_openness": Shape("Eyes open", "Open or close the lids", eye_openness, EYES, "no eyes"),
    "eye_size": Shape("Eye size", "Larger or smaller eyes", eye_size, EYES, "no eyes"),
    "nose_width": Shape("Nose width", "A wider or narrower nose", nose_width, (NOSE,), "no nose"),
    "jaw_width": Shape("Jaw width", "A wider or narrower lower face", jaw_width, (SKIN,), "no skin"),
    "chin": Shape("Face length", "A longer or shorter chin", chin, (SKIN,), "no skin"),
    "hair_length": Shape("Hair length", "Let the hair grow, or cut it", hair_length, (HAIR,), "no hair"),
    "hair_volume": Shape("Hair volume", "More or less hair around the head", hair_volume, (HAIR,), "no hair"),
}
"""Name -> slider, in the order in which they are applied."""


def can_shape(labels: np.ndarray, name: str) -> bool:
    """Whether a map (H, W) uint8 shows what a slider moves."""
    return box_of(labels, SHAPES[name].needs) is not None


def shaped(labels: np.ndarray, amounts: Mapping[str, float]) -> np.ndarray:
    """A label map (H, W) uint8 shaped by sliders: a new array, or the map itself where nothing is to be done.

    Args:
        amounts: names of `SHAPES` -> -1..1; those that are 0, or whose part the map does not show, change nothing.
    """
    for name, shape in SHAPES.items():
        amount = max(shape.lowest, min(1.0, amounts.get(name, 0.0)))
        if amount and can_shape(labels, name):
            labels = shape.apply(labels, amount)
    return labels
