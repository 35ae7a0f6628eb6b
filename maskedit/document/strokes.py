"""One brush stroke, from the press to the release, written straight into the label map; and what a lasso encloses.

Coordinates are float pixels of the map; the centre of the pixel in column i lies at ``i + 0.5``. A move paints the
exact shape that a round brush sweeps from the last point to this one, so that a fast move leaves no gaps. Each move
looks at the pixels of its own box only. Depends on numpy and OpenCV only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from maskedit.document.gesture import Gesture
from maskedit.document.history import Box, Edit, bounds
from maskedit.labels import MIRROR

_SLACK = 1e-7  # pixels, or square pixels; a centre that lies on the rim counts as inside, whatever the rounding
_SINGLE_PIXEL_BELOW = 2.0  # brushes narrower than this paint the pixel under the pointer, wherever in it that is


def capsule_box(start: tuple[float, float, float], end: tuple[float, float, float]) -> Box:
    """The box of the pixels whose centres a disc can cover while it moves; (x, y, radius) each, in pixels."""
    (xa, ya, ra), (xb, yb, rb) = start, end
    return Box(
        math.ceil(min(xa - ra, xb - rb) - 0.5 - _SLACK),
        math.ceil(min(ya - ra, yb - rb) - 0.5 - _SLACK),
        math.floor(max(xa + ra, xb + rb) + 0.5 + _SLACK),
        math.floor(max(ya + ra, yb + rb) + 0.5 + _SLACK),
    )


def capsule_mask(box: Box, start: tuple[float, float, float], end: tuple[float, float, float]) -> np.ndarray:
    """Which pixels a disc covers while it moves in a straight line from ``start`` to ``end``.

    Both are (x, y, radius) in pixels; the radius changes evenly on the way. Returns (h, w) bool for ``box``: true
    where the centre of the pixel lies in any of the discs, rims included.
    """
    (xa, ya, ra), (xb, yb, rb) = start, end
    x = np.arange(box.x0, box.x1) + (0.5 - xa)  # (w,)
    y = (np.arange(box.y0, box.y1) + (0.5 - ya))[:, None]  # (h, 1)
    dx, dy = xb - xa, yb - ya
    length = math.hypot(dx, dy)
    if length <= abs(ra - rb):  # one of the two discs holds the other, and all between (also: a point)
        if rb > ra:
            x, y = x - dx, y - dy
        return x * x + y * y <= max(ra, rb) ** 2 + _SLACK
    ux, uy = dx / length, dy / length
    along = x * ux + y * uy  # (h, w): position on the line
    across = x * uy - y * ux  # (h, w): signed distance from the line
    taper = (ra - rb) / length  # between -1 and 1
    if taper == 0:
        beyond = along - np.clip(along, 0, length)
        return across * across + beyond * beyond <= ra * ra + _SLACK
    # The disc that reaches a pixel best stands where d(distance) = d(radius), not at the foot of the perpendicular.
    best = np.clip(along - np.abs(across) * (taper / math.sqrt(1 - taper * taper)), 0, length)
    reach = ra - taper * best
    beyond = along - best
    return across * across + beyond * beyond <= reach * reach + _SLACK


def polygon_mask(
    points: Sequence[tuple[float, float]] | np.ndarray, *, width: int, height: int
) -> tuple[Box, np.ndarray] | None:
    """The polygon through the pixels under ``points``, a list of (x, y) or an (n, 2) array, in a map of this size.

    Returns its box within the map and (h, w) bool for the box; None when nothing of it lies in the map. The corner
    pixels and the outline belong to it; where it crosses itself, the even-odd rule holds. One point is one pixel, two
    are a line. Raises ValueError for points that are not finite.
    """
    corners = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(corners).all():
        raise ValueError("polygon points must be finite")
    if len(corners) == 0:
        return None
    # Far outside is far enough: cv2 counts in 32 bits.
    corners = np.floor(corners.clip(-100_000, 100_000)).astype(np.int32)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    box = Box(left, top, right + 1, bottom + 1).clipped(width, height)
    if box is None:
        return None
    region = np.zeros((box.height, box.width), dtype=np.uint8)
    cv2.fillPoly(region, [corners - np.array([box.x0, box.y0], dtype=np.int32)], 1)
    return (box, region == 1) if region.any() else None  # the box of a slanted one may reach in where it does not


class Stroke(Gesture):
    """A stroke in progress; `Document.begin_stroke` makes it, `commit` or `abort` ends it.

    Locks and "paint only over" hold as they were when the stroke began, and look at the ids the pixels had then: a
    stroke does not stop at its own paint.
    """

    def __init__(
        self,
        labels: np.ndarray,
        label: int,
        *,
        diameter: float,
        mirror: bool,
        allowed: np.ndarray | None,
        name: str,
        on_change: Callable[[], None],
        on_end: Callable[[Edit | None], None],
    ) -> None:
        """``labels`` (H, W) uint8 is painted in place; ``allowed`` (19,) bool tells which ids may be painted over."""
        super().__init__(labels, name=name, on_change=on_change, on_end=on_end)
        self.label = label
        self._diameter = diameter
        self._mirror = mirror
        self._allowed = allowed
        self._last: tuple[float, float, float] | None = None
        self._starts_left = True
        self._kept: set[int] = set()

    @property
    def kept(self) -> frozenset[int]:
        """The ids under those moves that changed nothing: why a stroke painted nothing at all."""
        return frozenset(self._kept)

    def move_to(self, x: float, y: float, *, diameter: float | None = None) -> Box | None:
        """Paint from the last point to (x, y), or a single dab when it is the first point.

        ``diameter`` in pixels is the brush at this point (pen pressure); it changes evenly from the last point's, and
        None keeps the last one. Below 2 px the brush is the pixel under the pointer, and a line of such pixels.
        Returns the tight box of the pixels that changed, mirror image included, or None. Raises RuntimeError after
        the end of the stroke.
        """
        if not self._open:
            raise RuntimeError("this stroke has ended")
        if diameter is not None:
            self._diameter = diameter
        size = max(1.0, self._diameter)
        if self._last is None:
            self._starts_left = x <= self._labels.shape[1] / 2
        if size < _SINGLE_PIXEL_BELOW:
            x, y = math.floor(x) + 0.5, math.floor(y) + 0.5
        end = (x, y, size / 2)
        start, self._last = self._last or end, end
        height, width = self._labels.shape
        box = capsule_box(start, end).clipped(width, height)
        if box is None:
            return None
        mask = capsule_mask(box, start, end)
        changed = self._paint_both_sides(box, mask) if self._mirror else self._paint(box, mask, self.label)
        if changed is not None:
            self._box = changed if self._box is None else self._box.union(changed)
            self._on_change()
        else:
            self._kept.update(np.flatnonzero(np.bincount(self._labels[box.slices][mask])).tolist())
        return changed

    def _paint(self, box: Box, mask: np.ndarray, label: int) -> Box | None:
        pixels = self._labels[box.slices]
        mask = mask & (pixels != label)
        if self._allowed is not None:
            mask &= self._allowed[self._before[box.slices]]
        changed = bounds(mask, x0=box.x0, y0=box.y0)
        if changed is not None:
            np.copyto(pixels, np.uint8(label), where=mask)
        return changed

    def _paint_both_sides(self, box: Box, mask: np.ndarray) -> Box | None:
        """Paint the mask and its image about the vertical centre line, which takes the mirror partner.

        Where the two overlap, each half of the map keeps one of the labels, so that the result is symmetric.
        """
        width = self._labels.shape[1]
        partner = int(MIRROR[self.label])
        image = Box(width - box.x1, box.y0, width - box.x0, box.y1)
        if box.x1 <= image.x0 or image.x1 <= box.x0:
            painted = self._paint(box, mask, self.label), self._paint(image, mask[:, ::-1], partner)
        else:
            both = box.union(image)
            own = np.zeros((both.height, both.width), dtype=bool)
            own[:, box.x0 - both.x0 : box.x1 - both.x0] = mask
            other = own[:, ::-1].copy()
            from_centre = np.arange(both.x0, both.x1) + 0.5 - width / 2  # (w,)
            far_half = from_centre > 0 if self._starts_left else from_centre < 0
            own &= ~(other & far_half)
            other &= ~own
            painted = self._paint(both, own, self.label), self._paint(both, other, partner)
        boxes = [part for part in painted if part is not None]
        return boxes[0].union(boxes[-1]) if boxes else None
