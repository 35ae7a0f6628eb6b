"""A sheet to draw pieces on, in the measure of a face: the point between the eyes is (0, 0), the eyes are 1 apart, x
runs along them to the right of the picture and y down to the chin."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from maskedit.document.face_points import FacePoints, find_points, middle, pixel_box
from maskedit.document.floating import Placed
from maskedit.document.history import bounds
from maskedit.document.pieces import OUTSIDE, Piece
from maskedit.document.placement import Placement, Point

_SHIFT = 4  # cv2 takes fixed-point coordinates, with four fractional bits here
_SPAN = 8
"""Points that a curve has between two of those that it goes through."""


class Sketch:
    """One sheet for one face; what is drawn on it becomes a piece that lies where it was drawn.

    The sheet goes on beyond the map, so that what is cut off by the border is there when the piece is moved.
    """

    def __init__(self, labels: np.ndarray, points: FacePoints | None = None):
        """``labels`` (H, W) uint8 is the map of the face, whose points are found unless they are given."""
        self.labels = labels
        self.points = find_points(labels) if points is None else points
        self._pad = max(labels.shape) // 2
        self._sheet = np.full([side + 2 * self._pad for side in labels.shape], OUTSIDE, np.uint8)

    # The measure of the face

    def to_face(self, x: float, y: float) -> Point:
        """A point of the map in the measure of the face; arrays of them, too."""
        across, down = x - self.points.eyes[0], y - self.points.eyes[1]
        angle = math.radians(-self.points.degrees)
        turned = across * math.cos(angle) - down * math.sin(angle), across * math.sin(angle) + down * math.cos(angle)
        return turned[0] / self.points.apart, turned[1] / self.points.apart

    def to_map(self, x: float, y: float) -> Point:
        """A point of the face on the map; arrays of them, too."""
        angle, apart = math.radians(self.points.degrees), self.points.apart
        across, down = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
        return self.points.eyes[0] + apart * across, self.points.eyes[1] + apart * down

    @property
    def half(self) -> float:
        """Half the width of the face."""
        return max(0.8, (self.points.right - self.points.left) / 2 / self.points.apart)

    @property
    def centre(self) -> float:
        """How far to the right of the eyes' middle that of the face's outline lies."""
        return self.to_face((self.points.left + self.points.right) / 2, self.points.eyes[1])[0]

    @property
    def brow(self) -> float:
        """The upper edge of the brows."""
        return min(-0.25, self.to_face(self.points.eyes[0], self.points.brows_top)[1])

    @property
    def chin(self) -> float:
        return max(1.3, self.to_face(self.points.eyes[0], self.points.chin)[1])

    @property
    def crown(self) -> float:
        """The top of the skull: eyes lie half-way between it and the chin."""
        return -0.92 * self.chin

    def middle_of(self, id: int) -> Point | None:
        """The middle of a class; None where there is none of it."""
        found = middle(self.labels, (id,))
        return None if found is None else self.to_face(*found + 0.5)

    def lobe_of(self, ear: int, side: int) -> Point:
        """Where an earring hangs: below an ear, or where it would be; ``side`` is -1 on the left of the picture."""
        box = pixel_box(self.labels, (ear,))
        if box is None:
            return self.centre + side * (self.half + 0.04), 0.55
        return self.to_face((box[0] + box[2] + 1) / 2, box[3] + 1)

    # Drawing

    def polygon(self, points: Sequence[Point], id: int) -> None:
        """Fill it; an ``id`` of `OUTSIDE` rubs out."""
        corners = np.array([self.to_map(*point) for point in points]) + self._pad - 0.5
        cv2.fillPoly(self._sheet, [np.round(corners * (1 << _SHIFT)).astype(np.int32)], id, cv2.LINE_8, _SHIFT)

    def blob(self, points: Sequence[Point], id: int) -> None:
        """Fill the closed curve through some points."""
        self.polygon(closed_curve(points), id)

    def oval(self, centre: Point, across: float, down: float, id: int, *, square: float = 2.0) -> None:
        """Fill an ellipse of two half axes; from ``square`` 3 on it becomes a rectangle with round corners."""
        angles = np.linspace(0, 2 * math.pi, 72, endpoint=False)
        bent = [np.sign(f(angles)) * np.abs(f(angles)) ** (2 / square) for f in (np.cos, np.sin)]
        self.polygon([(centre[0] + across * x, centre[1] + down * y) for x, y in zip(*bent, strict=True)], id)

    def line(self, start: Point, end: Point, thickness: float, id: int) -> None:
        x, y = end[0] - start[0], end[1] - start[1]
        length = max(math.hypot(x, y), 1e-6)
        across, down = -y / length * thickness / 2, x / length * thickness / 2
        sides = ((start, 1), (end, 1), (end, -1), (start, -1))
        self.polygon([(at[0] + side * across, at[1] + side * down) for at, side in sides], id)

    def dome(self, row: float, across: float, top: float, id: int, *, square: float) -> None:
        """Fill the upper half of an `oval` about the middle of the face, from a row up to ``top``."""
        angles = np.linspace(0, math.pi, 48)
        x = across * np.sign(np.cos(angles)) * np.abs(np.cos(angles)) ** (2 / square)
        y = (top - row) * np.sin(angles) ** (2 / square)
        self.polygon([(self.centre + right, row + up) for right, up in zip(x, y, strict=True)], id)

    def rub_out(self, mask: np.ndarray) -> None:
        """``mask`` is (H, W) bool, of the map."""
        inside = self._sheet[self._pad : -self._pad or None, self._pad : -self._pad or None]
        inside[mask] = OUTSIDE

    def placed(self) -> Placed:
        """What was drawn, where it was drawn; the sheet is empty after that."""
        box = bounds(self._sheet != OUTSIDE)
        if box is None:
            raise ValueError("nothing was drawn")
        piece = Piece(self._sheet[box.slices].copy())
        x, y = (box.x0 + box.x1) / 2 - self._pad, (box.y0 + box.y1) / 2 - self._pad
        self._sheet[:] = OUTSIDE
        return Placed(piece, Placement(x, y, box.width, box.height))


def closed_curve(points: Sequence[Point]) -> list[Point]:
    """A smooth closed curve through some points (Catmull and Rom, 1974), as the corners of a polygon."""
    given = np.asarray(points, np.float64)
    t = np.arange(_SPAN)[:, None] / _SPAN
    before, start, end, after = (np.roll(given, shift, axis=0)[:, None] for shift in (1, 0, -1, -2))
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    return [tuple(point) for point in curve.reshape(-1, 2).tolist()]
