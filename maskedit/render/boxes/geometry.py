"""Box arithmetic for rendering a part: which part of each layer an edit reaches, and what that part is computed from.

A layer is one convolution. Spans are half-open and in pixels of the map they belong to; the two axes are alike, so all
is said of one. Nothing here knows tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from maskedit.document.history import Box

GRID = 16
"""Pixels of the label map: boxes begin and end on multiples, as the coarsest layer's pixels do, and so their sizes
repeat; every new size costs the convolutions some preparation."""
_AROUND = 32
"""Pixels of the label map: about so much more than itself is computed on every side of a box. Where one larger box
costs less than two near ones, they are merged."""


class Span(NamedTuple):
    """``start <= i < stop``."""

    start: int
    stop: int

    def __len__(self) -> int:  # type: ignore[override]
        return self.stop - self.start

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)

    def clipped(self, length: int) -> Span:
        return Span(max(self.start, 0), min(self.stop, length))


@dataclass(frozen=True)
class Geometry:
    """Where a convolution looks: 3x3 or 7x7 at its own resolution, 3x3 to half of it, or transposed 3x3 to twice."""

    kind: str
    """``same``, ``down`` or ``up``."""
    level: int
    """Halvings between the label map and the layer's output."""
    padding: int
    """Pixels added around its input."""
    even: bool = False
    """Whether its outputs are made two by two: those of ``up``, and where it is asked for."""

    def length(self, side: int) -> int:
        """Of the output's side, where that of the label map is ``side``."""
        return side >> self.level

    def input_length(self, side: int) -> int:
        """Likewise of the input's."""
        length = self.length(side)
        return {"down": 2 * length, "up": length // 2}.get(self.kind, length)

    def affected_outputs(self, changed: Span) -> Span:
        """Outputs that depend on a span of the input; may reach beyond the border."""
        start, stop = changed
        if self.kind == "down":
            return Span(start // 2, stop // 2 + 1)
        if self.kind == "up":
            return Span(2 * start - 1, 2 * stop)
        return Span(start - self.padding, stop + self.padding)

    def required_inputs(self, wanted: Span) -> Span:
        """Inputs that a span of outputs depends on; may reach beyond the border by the padding. Spans of outputs of
        ``up`` must start at an even one."""
        start, stop = wanted
        if self.kind == "down":
            return Span(2 * start - 1, 2 * stop)
        if self.kind == "up":
            return Span(start // 2, stop // 2 + 1)
        return Span(start - self.padding, stop + self.padding)


@dataclass(frozen=True)
class Halo:
    """How far the recomputed box may reach beyond the edit, in pixels of each layer's own output.

    What changed further out is left as it was: too small a box is cheap and wrong, too large a one slow. None is no
    limit, everything that the edit reaches.
    """

    down: int | None
    """Up to the residual blocks."""
    blocks: int | None
    up: int | None
    """After them, at half the label map's resolution and below; at full resolution, twice as far."""

    def margin(self, geometry: Geometry, *, after_blocks: bool) -> int | None:
        if geometry.kind == "same" and geometry.level:
            return self.blocks
        if not after_blocks:
            return self.down
        return self.up if geometry.level or self.up is None else 2 * self.up


EVERYTHING = Halo(down=None, blocks=None, up=None)


def spans(layers: list[Geometry], edit: Span, length: int, halo: Halo) -> list[Span]:
    """The span of every layer's output that is recomputed after an edit of the label map.

    Args:
        layers: in their order.
        edit: of the label map.
        length: of the label map's side.
    """
    found, changed, after_blocks = [], edit, False
    for layer in layers:
        after_blocks |= layer.kind == "up"
        step = 1 << layer.level
        changed = layer.affected_outputs(changed)
        margin = halo.margin(layer, after_blocks=after_blocks)
        if margin is not None:
            start, stop = edit.start // step - margin, -(-edit.stop // step) + margin
            changed = Span(max(changed.start, start), min(changed.stop, stop))
        if layer.even or layer.kind == "up":
            changed = Span(changed.start // 2 * 2, -(-changed.stop // 2) * 2)
        changed = changed.clipped(layer.length(length))
        found.append(changed)
    return found


def changed_boxes(changed: np.ndarray) -> list[Box]:
    """Boxes on the grid that hold every pixel of a mask (S, S) bool; none where there is none.

    Edits far apart, such as both eyes painted at once, get a box each.
    """
    side = changed.shape[0]
    cells = -(-side // GRID)
    more = cells * GRID - side
    padded = cv2.copyMakeBorder(changed.view(np.uint8), 0, more, 0, more, cv2.BORDER_CONSTANT, value=0)
    coarse = padded.reshape(cells, GRID, cells, GRID).max(axis=(1, 3))
    count, _, stats, _ = cv2.connectedComponentsWithStats(coarse, connectivity=8)
    boxes = []
    for x, y, width, height, _ in stats[1:count].tolist():
        box = Box(x * GRID, y * GRID, (x + width) * GRID, (y + height) * GRID).clipped(side, side)
        boxes = _merged(boxes, box)
    return boxes


def _merged(boxes: list[Box], box: Box) -> list[Box]:
    """The boxes with one more, which swallows those that are cheaper to render together with it."""
    for other in boxes:
        both = box.union(other)
        if _cost(both) <= _cost(box) + _cost(other):
            return _merged([each for each in boxes if each is not other], both)
    return [*boxes, box]


def _cost(box: Box) -> int:
    return (box.width + 2 * _AROUND) * (box.height + 2 * _AROUND)
