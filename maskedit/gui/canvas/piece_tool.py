"""The transform tool: takes a region of the label map as a piece, and moves, scales, turns and mirrors it.

Knows no widget: points come in pixels of the label map, and the editor hears of every change.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskedit.document.floating import Floating, Placed, lift, place
from maskedit.document.history import Box
from maskedit.document.placement import INSIDE, TURN, Placement, Point, grip
from maskedit.gui.editor import Editor
from maskedit.gui.states import Level
from maskedit.labels import BACKGROUND, LABELS


class PieceTool:
    """What floats, and how the hand holds it.

    A press on a region takes it; a press beside what floats lets it go.
    """

    def __init__(self, editor: Editor):
        self._editor = editor
        self.pixel = 1.0
        """How many pixels of the map one of the screen is: handles are as large on the screen at any zoom."""
        self._grip: str | None = None
        self._from: tuple[Point, Placement] | None = None
        """Where the hand took hold, and how the piece lay then."""
        self._untouched = self._lifted = False

    @property
    def untouched(self) -> bool:
        """Whether a piece floats that was only taken."""
        return self._untouched and self.floating is not None

    @property
    def held(self) -> str | None:
        """How the hand holds the piece just now, as `grip_at` says it."""
        return self._grip

    @property
    def floating(self) -> Floating | None:
        """What lies over the map of the open document and is not let go yet."""
        document = self._editor.document
        return None if document is None else document.floating

    def grip_at(self, point: Point) -> str | None:
        """How a press there would hold what floats; None for a press that lets it go."""
        floating = self.floating
        return None if floating is None else grip(floating.placement, point, pixel=self.pixel)

    # Gestures ---------------------------------------------------------------------------------------------------

    def press(self, point: Point, *, shift: bool = False) -> None:
        """Take hold of what floats, or let it go; else take the region under the point, with ``shift`` its class."""
        if self.floating is not None:
            self._grip = self.grip_at(point)
            if self._grip is None:
                self.let_go()
                return
        elif self._take(point, whole_class=shift):
            self._grip = INSIDE
        else:
            return
        self._from = point, self.floating.placement
        self._editor.render.stroke_began()

    def press_twice(self, point: Point) -> bool:
        """Take the whole part of the face in place of the one region just taken; whether that was possible."""
        if not self.untouched or self.grip_at(point) != INSIDE:
            return False
        self.give_up()
        return self._take(point, whole_part=True)

    def move(self, point: Point, *, shift: bool = False) -> None:
        """The hand moved: ``shift`` frees the proportions of a corner, and turns in steps of 15 degrees."""
        if self._from is None or self.floating is None:
            return
        start, placement = self._from
        if self._grip == INSIDE:
            placement = placement.moved(point[0] - start[0], point[1] - start[1])
            # Whole pixels: a piece that only moves keeps every one of its own.
            placement = self._on_pixels(placement) if placement.degrees == 0 else placement
        elif self._grip == TURN:
            placement = placement.turned(start, point, snap=shift)
        else:
            placement = placement.scaled(self._grip, start, point, free=shift)
        self._show(placement)

    def release(self) -> None:
        """The hand is taken off; the piece floats on."""
        if self._from is not None:
            self._from = self._grip = None
            self._editor.render.stroke_ended()
            self._editor.history_changed.emit()  # the map is another one: the sliders start from it

    def nudge(self, across: float, down: float) -> None:
        """Move what floats by pixels of the map."""
        if self.floating is not None:
            self._show(self.floating.placement.moved(across, down))

    def flip(self) -> None:
        """Mirror what floats left to right, where it stands."""
        if self.floating is None:
            self._editor.tell(Level.INFO, "Take a region with Transform (T) first; H mirrors it.")
        else:
            self._show(self.floating.placement.flipped())

    def remove(self) -> None:
        """Take the region that was lifted away for good; a piece of the library is only given up."""
        floating = self.floating
        if floating is not None and self._lifted:
            self._changed(floating.take_away(name=floating.name.replace("Transform", "Remove")))
            self.let_go()
        else:
            self.give_up()

    # Beginning and end ------------------------------------------------------------------------------------------

    def lay_on(self, placed: Sequence[Placed], *, gone: np.ndarray, name: str) -> None:
        """Lay pieces of the library over the face, to be moved until they are let go."""
        self.let_go()
        floating = place(self._editor.document, placed, gone=gone, name=name)
        self._untouched = self._lifted = False
        self._changed(floating.box)
        self._editor.history_changed.emit()  # the frame shows, and undo gives the piece up

    def let_go(self) -> None:
        """The piece stays where it is, as one edit."""
        self.release()
        self._editor.let_go()

    def give_up(self) -> None:
        """The map is again as it was."""
        self.release()
        if self.floating is not None:
            self._changed(self.floating.abort())
            self._editor.stroke_ended()

    def _take(self, point: Point, *, whole_class: bool = False, whole_part: bool = False) -> bool:
        document, editor = self._editor.document, self._editor
        floating = lift(document, *point, whole_class=whole_class, whole_part=whole_part, mirror=editor.mirror)
        self._untouched = self._lifted = floating is not None
        if floating is None:
            label = document.label_at(*point)
            if label == BACKGROUND:
                editor.tell(Level.INFO, "The background lies behind everything: take a region that lies on it.")
            elif label is not None:
                title = LABELS[label].title
                editor.tell(Level.INFO, f"{title.capitalize()} is protected; open its lock, or press L, to move it.")
        else:
            editor.history_changed.emit()  # as in `lay_on`
        return floating is not None

    def _show(self, placement: Placement) -> None:
        self._untouched = False
        self._changed(self.floating.move(placement))
        if self._from is None:
            self._editor.history_changed.emit()  # as in `release`

    def _on_pixels(self, placement: Placement) -> Placement:
        start = self._from[1]
        return start.moved(round(placement.x - start.x), round(placement.y - start.y))

    def _changed(self, box: Box | None) -> None:
        """The canvas repaints before a picture is asked for: what the hand does shows first."""
        if box is not None:
            self._editor.labels_changed.emit(box)
            self._editor.render.edited()
