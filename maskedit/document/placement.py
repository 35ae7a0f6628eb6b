"""Where a piece of the label map lies while it is moved, scaled and turned, and by which handles it is held.

Pure geometry: coordinates are float pixels of the map, x to the right and y down, angles in degrees, clockwise as one
sees them. Depends on numpy only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

Point = tuple[float, float]

HANDLES: dict[str, tuple[int, int]] = {
    "top left": (-1, -1),
    "top": (0, -1),
    "top right": (1, -1),
    "right": (1, 0),
    "bottom right": (1, 1),
    "bottom": (0, 1),
    "bottom left": (-1, 1),
    "left": (-1, 0),
}
"""Name of a handle -> the sides it draws at: -1 is left or top, 1 right or bottom, 0 neither."""
INSIDE, TURN = "inside", "turn"
"""The other two ways to take hold of a piece."""
FRAME, STALK = 8.0, 22.0
"""Screen pixels from a piece to its frame, and from there to the handle that turns it."""
_REACH, _TURN_REACH, _ROOM = 8.0, 28.0, 40.0
"""Screen pixels: how near a handle is held, how near a corner one turns, how long a side with a handle in it is."""
_SMALLEST = 2.0
"""Pixels that a side keeps however far a handle is pushed."""
_SNAP = 15.0


@dataclass(frozen=True)
class Placement:
    """The box that a piece fills: ``width`` x ``height`` px about (``x``, ``y``), then turned about that point."""

    x: float
    y: float
    width: float
    height: float
    degrees: float = 0.0
    mirrored: bool = False

    def matrix(self, width: int, height: int) -> np.ndarray:
        """(2, 3) float64: from the pixels of a piece of ``width`` x ``height`` px to those of the map."""
        across = -self.width / width if self.mirrored else self.width / width
        linear = _turn(self.degrees) @ np.diag([across, self.height / height])
        shift = np.array([self.x, self.y]) - linear @ [width / 2, height / 2]
        return np.column_stack([linear, shift])

    def at(self, right: float, down: float) -> Point:
        """A point of the box, from -1 (left, top) to 1 (right, bottom), on the map."""
        x, y = _turn(self.degrees) @ [right * self.width / 2, down * self.height / 2]
        return self.x + float(x), self.y + float(y)

    def corners(self) -> list[Point]:
        """The four corners, clockwise from the top left one."""
        return [self.at(*HANDLES[name]) for name in HANDLES if 0 not in HANDLES[name]]

    def holds(self, point: Point) -> bool:
        """Whether the point lies in the box."""
        right, down = self._inside(point)
        return abs(right) <= self.width / 2 and abs(down) <= self.height / 2

    def grown(self, by: float) -> Placement:
        """The box with a rim of so many pixels around it."""
        return replace(self, width=self.width + 2 * by, height=self.height + 2 * by)

    # Changes

    def moved(self, across: float, down: float) -> Placement:
        return replace(self, x=self.x + across, y=self.y + down)

    def flipped(self) -> Placement:
        """Mirrored left to right where it stands, as one sees it: a turned one leans to the other side."""
        return replace(self, mirrored=not self.mirrored, degrees=-self.degrees)

    def turned(self, start: Point, end: Point, *, snap: bool = False) -> Placement:
        """Turned about its middle by the hand that went from ``start`` to ``end``; ``snap`` goes in steps of 15."""
        before, after = (math.atan2(point[1] - self.y, point[0] - self.x) for point in (start, end))
        degrees = self.degrees + math.degrees(after - before)
        if snap:
            degrees = _SNAP * round(degrees / _SNAP)
        return replace(self, degrees=(degrees + 180) % 360 - 180)

    def scaled(self, handle: str, start: Point, end: Point, *, free: bool = False) -> Placement:
        """Scaled by a handle, a key of `HANDLES`, that went from ``start`` to ``end``; the opposite side stays.

        A corner keeps the proportions unless ``free``; the middle of a side changes its own direction alone.
        """
        right, down = HANDLES[handle]
        (x0, y0), (x1, y1) = self._inside(start), self._inside(end)
        wide, high = self.width + right * (x1 - x0), self.height + down * (y1 - y0)
        if right and down and not free:
            # How far the hand went along the diagonal.
            share = (wide * self.width + high * self.height) / (self.width**2 + self.height**2)
            share = max(share, _SMALLEST / min(self.width, self.height))
            wide, high = share * self.width, share * self.height
        wide, high = max(wide, _SMALLEST), max(high, _SMALLEST)
        x, y = _turn(self.degrees) @ [right * (wide - self.width) / 2, down * (high - self.height) / 2]
        return replace(self, x=self.x + float(x), y=self.y + float(y), width=wide, height=high)

    def as_mirrored(self, start: Placement, now: Placement) -> Placement:
        """What becomes of this placement, on the other side of the face, while one here goes from ``start`` to
        ``now``: the mirror image of that."""
        return Placement(
            x=self.x - (now.x - start.x),
            y=self.y + (now.y - start.y),
            width=self.width * now.width / start.width,
            height=self.height * now.height / start.height,
            degrees=self.degrees - (now.degrees - start.degrees),
            mirrored=self.mirrored ^ start.mirrored ^ now.mirrored,
        )

    def _inside(self, point: Point) -> Point:
        """A point as seen from the middle of the box, before the box was turned."""
        x, y = _turn(-self.degrees) @ [point[0] - self.x, point[1] - self.y]
        return float(x), float(y)


def handles(placement: Placement, *, pixel: float) -> dict[str, Point]:
    """The handles on the frame of a piece, and `TURN` above it; ``pixel`` is how many px of the map one of the screen
    is. The middles of sides that are short on the screen have none."""
    frame = placement.grown(FRAME * pixel)
    points = {
        name: frame.at(*sides)
        for name, sides in HANDLES.items()
        if 0 not in sides or (frame.width if sides[0] == 0 else frame.height) > _ROOM * pixel
    }
    return points | {TURN: frame.grown(STALK * pixel).at(0, -1)}


def grip(placement: Placement, point: Point, *, pixel: float) -> str | None:
    """How a press at ``point`` holds the piece: a key of `HANDLES`, `INSIDE`, `TURN`, or None beside it.

    One turns it by the handle above, and anywhere near a corner outside the frame.
    """
    points = handles(placement, pixel=pixel)
    name, distance = min(((name, math.dist(point, at)) for name, at in points.items()), key=lambda each: each[1])
    if distance <= _REACH * pixel:
        return name
    if placement.grown(FRAME * pixel).holds(point):
        return INSIDE
    corners = [points[name] for name, sides in HANDLES.items() if 0 not in sides]
    return TURN if min(math.dist(point, corner) for corner in corners) <= _TURN_REACH * pixel else None


def _turn(degrees: float) -> np.ndarray:
    angle = math.radians(degrees)
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
