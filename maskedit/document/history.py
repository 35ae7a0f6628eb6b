"""Edits and the undo history: what one gesture changed, and in which order.

An edit stores its box, which pixels of the box changed, and their ids before and after, never the whole map; and the
styles that it gave or took. The idea of remembering a box and its changed pixels is that of napari's label layer.
Depends on numpy only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from maskedit.document.styles import PartStyle

MAX_HISTORY_BYTES = 256 * 2**20
_EDIT_OVERHEAD = 1024
"""What the Python objects of one edit take besides their pixels: a history of single dots is bounded as well."""


class Box(NamedTuple):
    """A half-open box of pixels: columns ``x0 <= x < x1``, rows ``y0 <= y < y1``."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an (H, W) array with; clip first, negative indices wrap to the other edge."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def union(self, other: Box) -> Box:
        """The smallest box that holds both."""
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))

    def clipped(self, width: int, height: int) -> Box | None:
        """The part inside a map of ``width`` x ``height`` pixels, or None when nothing is."""
        box = Box(max(self.x0, 0), max(self.y0, 0), min(self.x1, width), min(self.y1, height))
        return box if box.x0 < box.x1 and box.y0 < box.y1 else None


def bounds(mask: np.ndarray, *, x0: int = 0, y0: int = 0) -> Box | None:
    """The tight box of the true pixels of an (h, w) bool mask whose first pixel is (x0, y0); None when none is."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    return Box(x0 + int(columns[0]), y0 + int(rows[0]), x0 + int(columns[-1]) + 1, y0 + int(rows[-1]) + 1)


NOWHERE = Box(0, 0, 0, 0)
"""The box of an edit that changed no pixel of the map."""


@dataclass(frozen=True)
class StyleChange:
    """One part's style before and after an edit; None is the photo's own."""

    part: str
    old: PartStyle | None
    new: PartStyle | None


@dataclass(frozen=True, eq=False)
class Edit:
    """One step of the history. Make one with `Edit.between` or `Edit.of_styles`.

    Pixels are listed row by row, as ``map[box.slices][changed]`` lists them.
    """

    box: Box
    """Tight around the changed pixels, inside the map; `NOWHERE` when only styles changed."""
    packed: np.ndarray
    """(ceil(h * w / 8),) uint8: ``np.packbits`` of `changed`, an eighth of its memory."""
    old_ids: np.ndarray
    """(n,) uint8: the ids of the changed pixels before the edit."""
    new_ids: np.ndarray | int
    """(n,) uint8, or the one id that all of them took."""
    name: str
    """What the history list shows, e.g. ``"Brush hair"``."""
    styles: tuple[StyleChange, ...] = ()

    @classmethod
    def between(
        cls,
        before: np.ndarray,
        after: np.ndarray,
        *,
        name: str,
        x0: int = 0,
        y0: int = 0,
        styles: tuple[StyleChange, ...] = (),
    ) -> Edit | None:
        """What changed from ``before`` to ``after``, both (h, w) uint8 cut from the map at (x0, y0), or None; and the
        styles that changed with it."""
        changed = before != after
        tight = bounds(changed)
        if tight is None:
            return cls.of_styles(styles, name=name)
        changed = changed[tight.slices]
        new_ids = after[tight.slices][changed]
        return cls(
            box=Box(x0 + tight.x0, y0 + tight.y0, x0 + tight.x1, y0 + tight.y1),
            packed=np.packbits(changed),
            old_ids=before[tight.slices][changed],
            new_ids=int(new_ids[0]) if (new_ids == new_ids[0]).all() else new_ids,
            name=name,
            styles=styles,
        )

    @classmethod
    def of_styles(cls, styles: tuple[StyleChange, ...], *, name: str) -> Edit | None:
        """Styles alone; None when none changed."""
        nothing = np.empty(0, np.uint8)
        return cls(NOWHERE, nothing, nothing, nothing, name, styles) if styles else None

    @property
    def changed(self) -> np.ndarray:
        """(h, w) bool: which pixels of the box the edit changed; unpacked anew at each call."""
        height, width = self.box.height, self.box.width
        return np.unpackbits(self.packed, count=height * width).view(bool).reshape(height, width)

    @property
    def nbytes(self) -> int:
        """The memory this edit holds, Python's objects included as an estimate."""
        new_bytes = 0 if isinstance(self.new_ids, int) else self.new_ids.nbytes
        pictures = sum(len(style.thumbnail) for each in self.styles for style in (each.old, each.new) if style)
        return self.packed.nbytes + self.old_ids.nbytes + new_bytes + pictures + 4 * len(self.name) + _EDIT_OVERHEAD

    def apply(self, labels: np.ndarray) -> None:
        """Write the new ids into ``labels`` (H, W) uint8, in place."""
        labels[self.box.slices][self.changed] = self.new_ids

    def revert(self, labels: np.ndarray) -> None:
        """Write the old ids into ``labels`` (H, W) uint8, in place."""
        labels[self.box.slices][self.changed] = self.old_ids


class History:
    """The edits in order: any number of steps, bounded in bytes.

    It only keeps the order; the caller applies or reverts the edits it hands out.
    """

    def __init__(self, max_bytes: int = MAX_HISTORY_BYTES) -> None:
        self._max_bytes = max_bytes
        self._edits: list[Edit] = []
        self._states: list[int] = [0]  # _states[i]: the number of the state in which i edits are applied
        self._last_state = 0
        self._shortened = False
        self._position = 0
        self._nbytes = 0

    @classmethod
    def restored(cls, edits: Iterable[Edit], *, position: int, complete: bool = True) -> History:
        """A history read from a file; ``position`` of the edits are applied, and it is `complete` or not. Raises
        ValueError for a bad position."""
        history = cls()
        history._shortened = not complete
        for edit in edits:
            history.push(edit)
        undone = history._last_state - position
        if position < 0 or undone < 0:
            raise ValueError(f"position {position} of {history._last_state} edits")
        # Edits dropped for their size were the oldest, so the position counts from the newest.
        history._position = max(0, len(history._edits) - undone)
        return history

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Every edit kept, oldest first, the undone ones at the end."""
        return tuple(self._edits)

    @property
    def names(self) -> list[str]:
        """The names of all edits kept, oldest first; from `position` on they are undone."""
        return [edit.name for edit in self._edits]

    @property
    def position(self) -> int:
        """How many of the kept edits are applied: 0 .. len(names)."""
        return self._position

    @property
    def complete(self) -> bool:
        """Whether no edit was dropped: before the first one the map is as it was opened."""
        return self._states[0] == 0 and not self._shortened

    @property
    def state(self) -> int:
        """A number for the present state of the map; it returns with undo and redo and is never given out twice."""
        return self._states[self._position]

    @property
    def nbytes(self) -> int:
        """The memory of the edits kept."""
        return self._nbytes

    @property
    def can_undo(self) -> bool:
        return self._position > 0

    @property
    def can_redo(self) -> bool:
        return self._position < len(self._edits)

    def push(self, edit: Edit) -> None:
        """Add an edit that has just been applied: what was undone is lost, and the oldest go when it gets too much."""
        self._nbytes -= sum(undone.nbytes for undone in self._edits[self._position :])
        del self._edits[self._position :], self._states[self._position + 1 :]
        self._edits.append(edit)
        self._last_state += 1
        self._states.append(self._last_state)
        self._nbytes += edit.nbytes
        dropped = 0
        while self._nbytes > self._max_bytes and dropped < len(self._edits) - 1:
            self._nbytes -= self._edits[dropped].nbytes
            dropped += 1
        del self._edits[:dropped], self._states[:dropped]
        self._position = len(self._edits)

    def undo(self) -> Edit | None:
        """Step back: the edit to revert, or None at the beginning."""
        if not self.can_undo:
            return None
        self._position -= 1
        return self._edits[self._position]

    def redo(self) -> Edit | None:
        """Step forward: the edit to apply, or None at the end."""
        if not self.can_redo:
            return None
        self._position += 1
        return self._edits[self._position - 1]
