"""What a hand does to the label map until it lets go: shown at once, one edit at the end, or nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from maskedit.document.history import Box, Edit


class Gesture:
    """A change of the map in progress: a stroke, a slider, or pieces that float. `commit` or `abort` ends it."""

    _box: Box | None = None

    def __init__(
        self, labels: np.ndarray, *, name: str, on_change: Callable[[], None], on_end: Callable[[Edit | None], None]
    ) -> None:
        """``labels`` (H, W) uint8 is written to in place."""
        self.name = name
        """What the history shows; may be set until the end."""
        self._labels = labels
        # One copy a gesture (0.05 ms at 1024 x 1024) is less than to remember, at each move, what was touched first.
        self._before = labels.copy()
        self._on_change, self._on_end = on_change, on_end
        self._open = True

    @property
    def box(self) -> Box | None:
        """All that was changed so far."""
        return self._box

    @property
    def before(self) -> np.ndarray:
        """(H, W) uint8: the map as it was when this began; not to be written to."""
        return self._before

    def commit(self) -> Edit | None:
        """End it and add it to the history; None when no pixel changed (or it had ended before)."""
        if not self._open:
            return None
        edit, box = None, self.box
        if box is not None:
            crop = box.slices
            edit = Edit.between(self._before[crop], self._labels[crop], name=self.name, x0=box.x0, y0=box.y0)
        self._end(edit)
        return edit

    def abort(self) -> Box | None:
        """End it and put back every pixel; the box that was put back, or None."""
        if not self._open:
            return None
        box = self.box
        if box is not None:
            self._labels[box.slices] = self._before[box.slices]
            self._on_change()
        self._end(None)
        return box

    def _end(self, edit: Edit | None) -> None:
        self._open = False
        self._before = self._labels[:0]  # the copy is not needed any more, and a view may keep the gesture for long
        self._on_end(edit)
