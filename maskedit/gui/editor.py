"""The editor's state as signals, without a widget: document, tool, brush, live preview."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal, Slot

from maskedit.document.history import Box
from maskedit.gui.rendering.client import Preview
from maskedit.labels import BY_NAME, NUM_LABELS
from maskedit.render.results import FaceRenderer

TOOLS = ("brush", "eraser", "fill", "lasso", "parse_again", "picker")
MIN_BRUSH, MAX_BRUSH = 1, 256


class Editor(Preview):
    """What the window shows and the tools act on; the arguments are those of `Preview`."""

    labels_changed = Signal(object)  # Box
    tool_changed = Signal(str)
    label_changed = Signal(int)
    brush_changed = Signal(int)
    parse_again_wanted = Signal(object)  # corners (x, y) of a polygon

    def __init__(
        self,
        make_engine: Callable[[], FaceRenderer],
        make_finder: Callable[[], object] | None = None,
        parent: QObject | None = None,
    ):
        super().__init__(make_engine, make_finder, parent)
        self.tool = "brush"
        self.label = BY_NAME["hair"].id
        self.last_label = BY_NAME["skin"].id
        self.brush = 24
        self.mirror = False
        self.pressure = False
        self.colour_blind = False
        """Whether labels are shown in the second palette; files keep the published one."""
        self._before_choice = self.label, self.last_label

    # Document ---------------------------------------------------------------------------------------------------

    def changed(self, box: Box | None) -> None:
        """Tell everybody that the label map changed in ``box``; tools call it after every change."""
        if box is None:
            return
        self.live.edited()
        self.labels_changed.emit(box)
        self._schedule()
        self.preview_changed.emit()

    def stroke_began(self) -> None:
        self.live.stroke_began()

    def stroke_ended(self) -> None:
        """A gesture is over: the history may have grown, and one more render is due."""
        self.live.stroke_ended()
        self.history_changed.emit()
        self._schedule()

    def edited(self, box: Box | None) -> None:
        """A whole edit at once: fill, lasso, transfer, undo."""
        self.changed(box)
        self.stroke_ended()

    @Slot()
    def undo(self) -> None:
        if self.document is not None:
            self.edited(self.document.undo())

    @Slot()
    def redo(self) -> None:
        if self.document is not None:
            self.edited(self.document.redo())

    # Tool, brush, label -----------------------------------------------------------------------------------------

    def set_tool(self, tool: str) -> None:
        if tool != self.tool:
            self.tool = tool
            self.tool_changed.emit(tool)

    def set_label(self, label: int, *, correction: bool = False) -> None:
        """Choose a class; a ``correction`` takes the place of the last choice, as if that had never been made."""
        if not 0 <= label < NUM_LABELS:
            return
        shown = self.label
        if correction:
            self.label, self.last_label = self._before_choice
        self._before_choice = self.label, self.last_label
        if label != self.label:
            self.last_label, self.label = self.label, label
        if label != shown:
            self.label_changed.emit(label)

    def swap_label(self) -> None:
        """Back to the label used before."""
        self.set_label(self.last_label)

    def step_label(self, by: int) -> None:
        self.set_label((self.label + by) % NUM_LABELS)

    def set_brush(self, diameter: float) -> None:
        """The brush's diameter in pixels of the label map."""
        diameter = round(min(max(diameter, MIN_BRUSH), MAX_BRUSH))
        if diameter != self.brush:
            self.brush = diameter
            self.brush_changed.emit(diameter)

    def set_option(self, name: str, value: object) -> None:
        """``mirror``, ``pressure``, ``colour_blind``: on or off; ``only_over``: an id or None; ``locked``: ids;
        ``whole_face``, ``detail``: on or off, see `Blend`."""
        if name in ("mirror", "pressure", "colour_blind"):
            setattr(self, name, bool(value))
        elif name in ("whole_face", "detail"):
            self.blend = replace(self.blend, **{name: bool(value)})
            self._restyled()
        elif self.document is not None:
            setattr(self.document, name, value)
        self.options_changed.emit()
