"""The whole label map under a slider: shown as it will be while the hand moves, one edit when it lets go."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from maskedit.document.history import Box, Edit, bounds


class Sliding:
    """A change of the whole map in progress; `Document.begin_sliding` makes it, `commit` or `abort` ends it.

    In the document it stands where a stroke stands: one of the two at a time. Classes that are locked stay where they
    are and come nowhere else, and "paint only over" holds, both as they were when it began.
    """

    def __init__(
        self,
        labels: np.ndarray,
        *,
        allowed: np.ndarray | None,
        locked: np.ndarray,
        name: str,
        on_change: Callable[[], None],
        on_end: Callable[[Edit | None], None],
    ) -> None:
        """``labels`` (H, W) uint8 is written to in place; ``allowed`` (19,) bool tells which ids may be painted over,
        ``locked`` (19,) bool which may not come anywhere."""
        self.name = name
        """What the history shows; may be set until the end."""
        self._labels = labels
        self._before = labels.copy()
        self._kept = None if allowed is None else ~allowed[self._before]
        self._locked = locked
        self._on_change, self._on_end = on_change, on_end
        self._open = True

    @property
    def before(self) -> np.ndarray:
        """(H, W) uint8: the map as it was when this began; not to be written to."""
        return self._before

    @property
    def box(self) -> Box | None:
        """All that differs now."""
        return bounds(self._labels != self._before) if self._open else None

    def show(self, labels: np.ndarray) -> Box | None:
        """Show another map (H, W) uint8 in place of the one from before, as far as the locks let it.

        Returns the tight box of the pixels that changed since the last one, or None. Raises RuntimeError after the end.
        """
        if not self._open:
            raise RuntimeError("this slide has ended")
        if self._kept is not None:
            labels = np.where(self._kept | self._locked[labels], self._before, labels)
        changed = bounds(labels != self._labels)
        if changed is not None:
            self._labels[changed.slices] = labels[changed.slices]
            self._on_change()
        return changed

    def commit(self) -> Edit | None:
        """End it and add it to the history; None when no pixel differs (or it had ended before)."""
        if not self._open:
            return None
        edit = Edit.between(self._before, self._labels, name=self.name)
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
        self._before = self._labels[:0]
        self._on_end(edit)
