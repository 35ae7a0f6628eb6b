"""The pieces of the library that are drawn in code, each for the face that it is put on: mouths, glasses, hats, hair,
brows and earrings. There is no class for a beard, and so no piece.

Shapes are in the measure of a `Sketch`: the eyes are 1 apart, y runs down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from maskedit.document.face_points import FACE, FacePoints, find_points
from maskedit.document.floating import Placed
from maskedit.document.pieces import OUTSIDE
from maskedit.document.placement import Point
from maskedit.document.sketch import Sketch
from maskedit.labels import FACE_PARTS, OVERLAYS, ids_of

GLASSES, MOUTH, UPPER_LIP, LOWER_LIP, HAIR, HAT, EARRING = ids_of(
    "eye_g", "mouth", "u_lip", "l_lip", "hair", "hat", "ear_r"
)
RIGHT_BROW, LEFT_BROW, RIGHT_EAR, LEFT_EAR = ids_of("r_brow", "l_brow", "r_ear", "l_ear")
_HEAD = 1.16
"""Half the width of a head under a hat, of half the width of its face: hair is pressed flat."""


@dataclass(frozen=True)
class DrawnPiece:
    """One piece of the library."""

    name: str
    """What a person reads."""
    group: str
    draw: Callable[[Sketch], list[Placed]]
    adds: bool = False
    """Whether it is laid beside what the face has of its classes, and does not take its place."""
    clears: Callable[[Sketch], np.ndarray] | None = None
    """(H, W) bool: what goes besides."""

    def on(self, labels: np.ndarray, points: FacePoints | None = None) -> list[Placed]:
        """The piece as it lies on the face of a map (H, W) uint8, on both sides of it in two parts where it has sides;
        the points of the face are found unless they are given."""
        return self.draw(Sketch(labels, points))

    def gone(self, labels: np.ndarray, placed: Sequence[Placed]) -> np.ndarray:
        """(H, W) bool: what goes when it comes to a face, ``placed`` as `on` says."""
        classes = [] if self.adds else replaced_by(id for each in placed for id in each.piece.classes)
        gone = np.isin(labels, classes)
        return gone if self.clears is None else gone | self.clears(Sketch(labels))


def replaced_by(classes: Iterable[int]) -> list[int]:
    """Classes whose place is taken by pieces of these: the same, and of a mouth all of it."""
    mouth = FACE_PARTS["Smile"]
    return sorted({other for id in classes for other in (mouth if id in mouth else (id,))})


# Mouths -----------------------------------------------------------------------------------------------------------


def _mouth(upper: Sequence[Point], lower: Sequence[Point], inside: Sequence[Point], size: float) -> Callable:
    """A mouth of three curves about its middle, for half of it, from the middle to the corner, which is at x = 1.

    Args:
        upper: the upper edge of the upper lip.
        lower: the lower edge of the lower lip.
        inside: upper and then lower edge of the opening; the seam of the lips where both are one.
        size: of the face's own mouth, when it is as wide as mouths mostly are.
    """

    def draw(sketch: Sketch) -> list[Placed]:
        points = sketch.points
        x, y = sketch.to_face(*points.mouth)
        half = size * float(np.clip((points.mouth_width / points.apart + 0.85) / 2, 0.65, 1.05)) / 2

        def edge(curve: Sequence[Point]) -> list[Point]:
            """Both halves, from the left to the right."""
            left = [(-side, down) for side, down in reversed(curve) if side > 0]
            return [(x + half * side, y + half * down) for side, down in (*left, *curve)]

        top, bottom = inside[: len(inside) // 2], inside[len(inside) // 2 :]
        sketch.blob(edge(upper) + edge(lower)[-2:0:-1], LOWER_LIP)
        middle = [(side, (over + under) / 2) for (side, over), (_, under) in zip(top, bottom, strict=True)]
        sketch.blob(edge(upper) + edge([*middle, upper[-1]])[-2:0:-1], UPPER_LIP)
        if top != bottom:
            sketch.blob(edge(top) + edge(bottom)[-2:0:-1], MOUTH)
        return [sketch.placed()]

    return draw


_SMILE = _mouth(
    upper=[(0, -0.16), (0.2, -0.24), (0.6, -0.24), (1, -0.3)],
    lower=[(0, 0.45), (0.4, 0.37), (0.75, 0.1), (1, -0.3)],
    inside=[(0, 0.0), (0.5, -0.08), (0.86, -0.24), (0, 0.25), (0.5, 0.14), (0.86, -0.2)],
    size=1.12,
)
_CLOSED = _mouth(
    upper=[(0, -0.17), (0.2, -0.24), (0.6, -0.13), (1, 0.02)],
    lower=[(0, 0.36), (0.4, 0.31), (0.75, 0.15), (1, 0.02)],
    inside=[(0, 0.05), (0.3, 0.02), (0.7, 0.03), (0, 0.05), (0.3, 0.02), (0.7, 0.03)],
    size=0.94,
)
_OPEN = _mouth(
    upper=[(0, -0.38), (0.22, -0.45), (0.65, -0.28), (1, 0.08)],
    lower=[(0, 0.84), (0.45, 0.74), (0.82, 0.42), (1, 0.08)],
    inside=[(0, -0.18), (0.45, -0.16), (0.82, 0.05), (0, 0.54), (0.45, 0.45), (0.82, 0.16)],
    size=0.92,
)


# Glasses ----------------------------------------------------------------------------------------------------------


def _glasses(lens: Callable[[Sketch, float], None], *, reach: float, bridge: float) -> Callable:
    """Two lenses, a bridge at that height, and temples from the lenses, which ``reach`` so far from an eye, to the edge
    of the face."""

    def draw(sketch: Sketch) -> list[Placed]:
        for side in (-1, 1):
            lens(sketch, side)
            edge = sketch.centre + side * (sketch.half + 0.02)
            if abs(edge) > 0.5 + reach:
                sketch.line((side * (0.45 + reach), -0.12), (edge, -0.1), 0.07, GLASSES)
        sketch.line((-0.25, bridge), (0.25, bridge), 0.07, GLASSES)
        return [sketch.placed()]

    return draw


def _round_lens(sketch: Sketch, side: float) -> None:
    sketch.oval((side * 0.5, 0.04), 0.37, 0.34, GLASSES)


def _square_lens(sketch: Sketch, side: float) -> None:
    sketch.oval((side * 0.52, 0.04), 0.41, 0.28, GLASSES, square=5)


def _aviator_lens(sketch: Sketch, side: float) -> None:
    half = [(-0.36, -0.2), (0.0, -0.26), (0.4, -0.22), (0.44, 0.06), (0.28, 0.36), (0.02, 0.44), (-0.24, 0.3)]
    sketch.blob([(side * (0.54 + x), 0.04 + y) for x, y in half], GLASSES)


# Hats -------------------------------------------------------------------------------------------------------------


def _cap(sketch: Sketch) -> list[Placed]:
    line, middle, half = sketch.brow - 0.16, sketch.centre, sketch.half
    sketch.dome(line, _HEAD * half, sketch.crown - 0.14, HAT, square=2.4)
    visor = [(-1.14, -0.12), (-0.6, -0.26), (0, -0.3), (0.6, -0.26), (1.14, -0.12), (0.96, 0.1), (0.45, 0.14)]
    visor += [(0, 0.13), (-0.45, 0.14), (-0.96, 0.1)]
    sketch.blob([(middle + half * x, line + 1.1 * y) for x, y in visor], HAT)
    return [sketch.placed()]


def _beanie(sketch: Sketch) -> list[Placed]:
    line, half = sketch.brow - 0.08, sketch.half
    sketch.dome(line - 0.2, _HEAD * half, sketch.crown - 0.3, HAT, square=2.15)
    sketch.oval((sketch.centre, line - 0.24), (_HEAD + 0.04) * half, 0.25, HAT, square=6)  # the fold
    return [sketch.placed()]


def _wide_brim(sketch: Sketch) -> list[Placed]:
    line, middle, half = sketch.brow - 0.26, sketch.centre, sketch.half
    sketch.dome(line, 1.08 * half, sketch.crown - 0.16, HAT, square=3.0)
    brim = [(-2.0, -0.02), (-1.2, -0.26), (0, -0.32), (1.2, -0.26), (2.0, -0.02), (1.1, 0.2), (0, 0.26), (-1.1, 0.2)]
    sketch.blob([(middle + half * x, line + y) for x, y in brim], HAT)
    return [sketch.placed()]


def _pressed_flat(sketch: Sketch) -> np.ndarray:
    """(H, W) bool: the hair that stands out beside a hat and above it."""
    rows, columns = np.indices(sketch.labels.shape)
    x, y = sketch.to_face(columns, rows)
    beyond = np.abs(x - sketch.centre) - _HEAD * sketch.half
    return (sketch.labels == HAIR) & (y < sketch.brow - 0.2 + 0.8 * np.maximum(beyond, 0))


# Hair -------------------------------------------------------------------------------------------------------------


def _hairline(sketch: Sketch) -> float:
    return min(0.55 * sketch.crown, sketch.brow - 0.3)


def _bangs(sketch: Sketch) -> list[Placed]:
    brow, middle, half = sketch.brow, sketch.centre, sketch.half
    top = min(_hairline(sketch), sketch.to_face(*sketch.points.eyes * [1, 0] + [0, sketch.points.top])[1]) - 0.12
    locks = [(0.97, 0.22), (0.86, 0.1), (0.74, 0.07), (0.6, 0.0), (0.46, 0.06), (0.3, -0.01), (0.14, 0.05)]
    lower = [(middle + half * x, brow + y) for x, y in (*locks, (0.0, 0.0), *((-x, y) for x, y in locks[::-1]))]
    upper = [(-1.03, brow - 0.1), (-1.0, (top + brow) / 2), (-0.5, top + 0.08), (0, top), (0.5, top + 0.08)]
    upper += [(1.0, (top + brow) / 2), (1.03, brow - 0.1)]
    sketch.polygon([*lower, *((middle + half * x, y) for x, y in upper)], HAIR)
    sketch.rub_out(np.isin(sketch.labels, OVERLAYS))
    return [sketch.placed()]


def _long_hair(sketch: Sketch) -> list[Placed]:
    chin, crown = sketch.chin, sketch.crown
    outer = [(0, crown - 0.2), (0.8, crown), (1.24, 0.55 * crown), (1.36, -0.1), (1.42, 0.6 * chin)]
    outer += [(1.56, chin), (1.58, chin + 0.5), (1.42, chin + 0.95), (1.0, chin + 1.1), (0.66, chin + 0.95)]
    _hair_around_face(sketch, outer, neck=chin + 1.3)
    return [sketch.placed()]


def _short_hair(sketch: Sketch) -> list[Placed]:
    crown = sketch.crown
    outer = [(0, crown - 0.16), (0.6, crown - 0.06), (1.0, 0.62 * crown), (1.13, -0.5), (1.1, -0.05), (1.0, 0.3)]
    outer += [(0.9, 0.24)]
    _hair_around_face(sketch, outer, neck=0.3)
    return [sketch.placed()]


def _hair_around_face(sketch: Sketch, outer: Sequence[Point], *, neck: float) -> None:
    """Hair within a curve, of which the right half is given, but not before the face and what is worn,
    nor before the neck to a row."""
    middle, half, brow = sketch.centre, sketch.half, sketch.brow
    both = [*outer, *((-x, y) for x, y in outer[::-1] if x > 0)]
    sketch.blob([(middle + half * x, y) for x, y in both], HAIR)
    # The forehead up to the hairline, and the face as it is, a little less wide: hair lies over its edge.
    sketch.oval((middle, brow + 0.1), 0.9 * half, brow + 0.1 - _hairline(sketch), OUTSIDE, square=2.6)
    face = np.isin(sketch.labels, FACE) & (np.arange(len(sketch.labels))[:, None] >= sketch.points.brows_top)
    hull = np.zeros(sketch.labels.shape, np.uint8)
    if face.any():
        cv2.fillConvexPoly(hull, cv2.convexHull(np.argwhere(face)[:, ::-1].astype(np.int32)), 1)
        rim = max(1, round(0.07 * sketch.points.apart))
        hull = cv2.erode(hull, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 1)))
    sketch.rub_out((hull > 0) | np.isin(sketch.labels, OVERLAYS))
    top, wide = 0.8 * sketch.chin, 0.62 * half
    if neck > top:
        sketch.polygon(
            [(middle - wide, top), (middle + wide, top), (middle + wide, neck), (middle - wide, neck)], OUTSIDE
        )


# Brows and earrings -----------------------------------------------------------------------------------------------


def _brows(thickness: float, arch: float) -> Callable:
    """Brows so thick at their inner end, which rise by ``arch``."""

    def draw(sketch: Sketch) -> list[Placed]:
        placed = []
        for side, id in ((-1, RIGHT_BROW), (1, LEFT_BROW)):
            x, y = sketch.middle_of(id) or (side * 0.52, -0.36)
            line = [(-0.32, 0.0), (-0.12, -0.6 * arch), (0.06, -arch), (0.22, -0.8 * arch), (0.36, 0.05)]
            share = (0.85, 1.0, 0.8, 0.5, 0.1)
            over = [(across, down - part * thickness / 2) for (across, down), part in zip(line, share, strict=True)]
            under = [(across, down + part * thickness / 2) for (across, down), part in zip(line, share, strict=True)]
            sketch.blob([(x + side * across, y + down) for across, down in over + under[::-1]], id)
            placed.append(sketch.placed())
        return placed

    return draw


def _earrings(shape: Callable[[Sketch, Point], None]) -> Callable:
    def draw(sketch: Sketch) -> list[Placed]:
        placed = []
        for side, ear in ((-1, RIGHT_EAR), (1, LEFT_EAR)):
            shape(sketch, sketch.lobe_of(ear, side))
            placed.append(sketch.placed())
        return placed

    return draw


def _stud(sketch: Sketch, at: Point) -> None:
    sketch.oval((at[0], at[1] - 0.04), 0.075, 0.075, EARRING)


def _drop(sketch: Sketch, at: Point) -> None:
    x, y = at
    sketch.oval((x, y - 0.02), 0.05, 0.05, EARRING)
    sketch.blob([(x, y), (x + 0.06, y + 0.16), (x + 0.09, y + 0.28), (x, y + 0.38), (x - 0.09, y + 0.28),
                 (x - 0.06, y + 0.16)], EARRING)  # fmt: skip


def _hoop(sketch: Sketch, at: Point) -> None:
    middle = at[0], at[1] + 0.16
    sketch.oval(middle, 0.19, 0.21, EARRING)
    sketch.oval(middle, 0.13, 0.15, OUTSIDE)


DRAWN: tuple[DrawnPiece, ...] = (
    DrawnPiece("Smile", "Mouths", _SMILE),
    DrawnPiece("Closed mouth", "Mouths", _CLOSED),
    DrawnPiece("Open mouth", "Mouths", _OPEN),
    DrawnPiece("Round glasses", "Glasses", _glasses(_round_lens, reach=0.37, bridge=-0.06)),
    DrawnPiece("Square glasses", "Glasses", _glasses(_square_lens, reach=0.43, bridge=-0.08)),
    DrawnPiece("Aviators", "Glasses", _glasses(_aviator_lens, reach=0.46, bridge=-0.14)),
    DrawnPiece("Cap", "Hats", _cap, clears=_pressed_flat),
    DrawnPiece("Beanie", "Hats", _beanie, clears=_pressed_flat),
    DrawnPiece("Wide brim", "Hats", _wide_brim, clears=_pressed_flat),
    DrawnPiece("Bangs", "Hair", _bangs, adds=True),
    DrawnPiece("Long hair", "Hair", _long_hair),
    DrawnPiece("Short hair", "Hair", _short_hair),
    DrawnPiece("Thick brows", "Brows", _brows(0.17, 0.05)),
    DrawnPiece("Thin brows", "Brows", _brows(0.075, 0.06)),
    DrawnPiece("Arched brows", "Brows", _brows(0.1, 0.14)),
    DrawnPiece("Studs", "Earrings", _earrings(_stud)),
    DrawnPiece("Drops", "Earrings", _earrings(_drop)),
    DrawnPiece("Hoops", "Earrings", _earrings(_hoop)),
)
"""In the order of the library."""


def standard_face(side: int) -> np.ndarray:
    """A face to show pieces on, (side, side) uint8: skin, eyes, nose, mouth, brows, ears, neck and short hair."""
    labels = np.zeros((side, side), np.uint8)
    sketch = Sketch(labels, find_points(labels))
    skin, nose, right_eye, left_eye, neck = ids_of("skin", "nose", "r_eye", "l_eye", "neck")
    sketch.oval((0, -0.3), 1.2, 1.5, HAIR)
    for x, ear in ((-1.14, RIGHT_EAR), (1.14, LEFT_EAR)):
        sketch.oval((x, 0.25), 0.14, 0.32, ear)
    sketch.polygon([(-0.6, 1.2), (0.6, 1.2), (0.7, 2.6), (-0.7, 2.6)], neck)
    sketch.oval((0, 0.38), 1.12, 1.46, skin, square=2.2)
    for x, eye in ((-0.5, right_eye), (0.5, left_eye)):
        sketch.oval((x, 0), 0.2, 0.1, eye)
    sketch.blob([(0, 0.0), (0.12, 0.4), (0.2, 0.6), (0, 0.68), (-0.2, 0.6), (-0.12, 0.4)], nose)
    for part in (sketch.placed(), *_CLOSED(sketch), *_brows(0.1, 0.06)(sketch)):
        drawn = part.piece.drawn(part.placement, width=side, height=side)
        assert drawn is not None
        box, ids = drawn
        np.copyto(labels[box.slices], ids, where=ids != OUTSIDE)
    return labels
