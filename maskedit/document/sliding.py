"""The whole label map under a slider: shown as it will be while the hand moves, one edit when it lets go."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from maskedit.document.gesture import Gesture
from maskedit.document.history import Box, Edit, bounds


class Sliding(Gesture):
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
        super().__init__(labels, name=name, on_change=on_change, on_end=on_end)
        self._kept = None if allowed is None else ~allowed[self._before]
        self._locked = locked

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
