"""The editor without a widget: the open document, tool and brush, and the parts that keep its picture up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from maskedit.document.document import Document
from maskedit.document.history import Box
from maskedit.document.snapshots import Snapshot
from maskedit.document.styles import PartStyle, Styles
from maskedit.gui.rendering.chooser import RendererChoice, RendererChooser
from maskedit.gui.rendering.client import RenderClient
from maskedit.gui.rendering.face_tuning import FaceTuning
from maskedit.gui.rendering.job_runner import JobRunner
from maskedit.gui.rendering.messages import RenderRequest
from maskedit.gui.rendering.thread import RenderThread
from maskedit.gui.states import Level, PreviewState
from maskedit.labels import BY_NAME, NUM_LABELS, STYLE_PART_OF
from maskedit.render.results import FaceRenderer

TOOLS = ("brush", "eraser", "fill", "lasso", "transform", "parse_again", "picker")
BRUSHES = ("brush", "eraser")
"""Those that paint strokes, and whose ring follows the pointer."""
MIN_BRUSH, MAX_BRUSH = 1, 256


class Editor(QObject):
    """What the window shows and the tools act on.

    Args:
        make_renderer: called in the render thread to load torch and the weights that are chosen.
        make_finder: called there once, when a face is to be found or parsed.
        choice: what renders first; the bundled weights when None.
        fallback: what renders instead where that cannot be made; nothing else than ``choice`` when None.
    """

    document_changed = Signal()
    labels_changed = Signal(object)  # Box; for what shows the label map
    history_changed = Signal()
    options_changed = Signal()
    hand_comes = Signal()  # a tool is put on the canvas, or something else is to be done: what waits for more ends
    preview_changed = Signal()  # `preview_state`; ten times a second while a render runs
    tool_changed = Signal(str)
    label_changed = Signal(int)
    brush_changed = Signal(int)
    parse_again_wanted = Signal(object)  # corners (x, y) of a polygon
    message = Signal(str, str)  # Level, text

    def __init__(
        self,
        make_renderer: Callable[[RendererChoice], FaceRenderer],
        make_finder: Callable[[], object] | None = None,
        parent: QObject | None = None,
        *,
        choice: RendererChoice | None = None,
        fallback: RendererChoice | None = None,
    ):
        super().__init__(parent)
        choice = choice or RendererChoice()
        self.chooser = RendererChooser(self, make_renderer, choice, fallback or choice)
        """Which weights and engine render."""
        self.thread = RenderThread(self.chooser.make_first, make_finder or _no_finder)
        self.render = RenderClient(self.thread, self.tell, self)
        """Asks for pictures, and knows the one that is shown."""
        self.jobs = JobRunner(self.thread, self._engaged, self.tell, self)
        """Other work for the render thread."""
        self.tuning = FaceTuning(self.thread.worker, self.render, self.jobs, self.tell, self)
        """The learning of this document's face."""
        self.tool = "brush"
        self.label = BY_NAME["hair"].id
        self.last_label = BY_NAME["skin"].id
        self.brush = 24
        self.mirror = False
        self.pressure = False
        self.colour_blind = False
        """Whether labels are shown in the second palette; files keep the published one."""
        self._before_choice = self.label, self.last_label
        self._idle: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self.render.state_changed.connect(self.preview_changed)
        self.render.live_changed.connect(self.options_changed)
        self.tuning.progressed.connect(self.preview_changed)
        self.tuning.face_weights_changed.connect(self.history_changed)
        self.render.waiting_ended.connect(self._tell_idle)
        self.jobs.promise_ended.connect(self._tell_idle)

    def tell(self, level: Level, text: str) -> None:
        """Have a sentence shown to the person."""
        self.message.emit(level, text)

    # Document ---------------------------------------------------------------------------------------------------

    @property
    def document(self) -> Document | None:
        """The open document."""
        return self.render.document

    def set_document(self, document: Document) -> None:
        """Show another document; what is still rendering for the old one will be dropped."""
        self.render.set_document(document)
        self.tuning.end()
        self.document_changed.emit()
        self.history_changed.emit()
        self.render.give_up("another document was opened")
        self.render.render_now()

    def stroke_ended(self) -> None:
        """A gesture is over: the history may have grown, and one more render is due."""
        self.history_changed.emit()
        self.render.stroke_ended()

    def edited(self, box: Box | None) -> None:
        """A whole edit at once: fill, lasso, transfer, undo."""
        if box is not None:
            self.labels_changed.emit(box)
            self.render.edited()
        self.stroke_ended()

    def let_go(self) -> None:
        """Whatever piece floats stays where it is, as one edit."""
        if self.document is not None and self.document.floating is not None:
            self.document.floating.commit()
            self.stroke_ended()

    @Slot()
    def undo(self) -> None:
        """Take back the last edit; a style that is only tried goes first."""
        if self.document is None:
            return
        if self.render.tried is not None:
            self.render.try_styles(None)
            self.history_changed.emit()
        else:
            self.edited(self.document.undo())

    @Slot()
    def redo(self) -> None:
        if self.document is not None:
            self.render.try_styles(None)
            self.edited(self.document.redo())

    def go_to(self, position: int) -> None:
        """Undo or redo until so many edits of the history are applied; a piece that floats is let go first."""
        if self.document is not None:
            self.let_go()
            self.render.try_styles(None)
            self.edited(self.document.go_to(position))

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Take over what a snapshot holds, as one edit."""
        if self.document is not None:
            self.render.try_styles(None)
            self.edited(self.document.show_snapshot(snapshot))

    @property
    def part(self) -> str | None:
        """The part of the face that the chosen class belongs to, a key of `STYLE_PARTS`; None for one without style."""
        return STYLE_PART_OF.get(self.label)

    def try_style(self, part: str, style: PartStyle) -> None:
        """Show the document with a style that it has not taken yet."""
        if self.document is not None:
            self.render.try_styles({**self.document.styles, part: style})

    def set_style(self, part: str, style: PartStyle | None, *, name: str) -> None:
        """Give a part of the face a style, or its own again, as one edit; what was tried is over."""
        if self.document is not None:
            self.render.try_styles(None)
            self.edited(self.document.set_styles({part: style}, name=name))

    def draw(
        self,
        labels: np.ndarray,
        styles: Styles,
        then: Callable[[QImage], None],
        otherwise: Callable[[str], None] | None = None,
        *,
        asked_by_dialog: bool = False,
    ) -> None:
        """Have the render thread draw the open document with other labels (S, S) uint8 and styles; nothing on the
        screen changes. See `JobRunner.run`."""
        document, labels = self.document, labels.copy()
        labels.setflags(write=False)
        request = RenderRequest(
            sequence=0,
            revision=document.revision,
            photo=document.photo,
            reference_labels=document.reference_labels,
            labels=labels,
            blend=self.render.blend,
            face_weights=document.face_weights,
            styles=styles,
        )
        self.jobs.run(
            lambda services: services.rendered_apart(request).image, then, otherwise, asked_by_dialog=asked_by_dialog
        )

    def _engaged(self) -> bool:
        """Whether a dialog is open or a stroke in progress, into which nothing may come."""
        stroking = self.document is not None and self.document.stroke is not None
        return stroking or QApplication.activeModalWidget() is not None

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
            self.render.try_styles(None)
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
            self.render.set_blend(replace(self.render.blend, **{name: bool(value)}))
        elif self.document is not None:
            setattr(self.document, name, value)
        self.options_changed.emit()

    # Picture and thread -----------------------------------------------------------------------------------------

    @property
    def preview_state(self) -> PreviewState:
        """How the picture on the screen stands to the label map, as `RenderClient.state`, or that a face is learned."""
        state = self.render.state
        telling = state in (PreviewState.LOADING, PreviewState.RENDERING, PreviewState.FAILED)
        return state if telling or self.tuning.progress is None else PreviewState.LEARNING

    @property
    def has_waiting(self) -> bool:
        """Whether somebody waits for a result that is up to date, or for a file."""
        return self.render.waited_for or self.jobs.promised > 0

    def when_idle(self, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Call ``then`` once nobody waits for a result or a file any more; ``otherwise`` when one of them failed."""
        self._idle.append((then, otherwise))
        self._tell_idle("")

    @Slot(str)
    def _tell_idle(self, failed: str) -> None:
        if failed or not self.has_waiting:
            idle, self._idle = self._idle, []
            for then, otherwise in idle:
                otherwise() if failed else then()

    def start(self) -> None:
        """Start the render thread; torch loads there while the window is already up."""
        self.thread.start()
        self.render.begin()

    def stop(self, seconds: float = 5.0) -> bool:
        """Drop what waits but promised files, and end the render thread; False when that takes longer."""
        self.render.stop()
        self._idle.clear()
        return self.thread.stop(seconds)


def _no_finder() -> object:
    raise RuntimeError("this editor was made without a face finder")
