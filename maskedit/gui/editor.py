"""The editor's state as signals, without a widget: document, tool, brush, live preview."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, QThread, QTimer, Signal, Slot
from PySide6.QtGui import QImage

from maskedit.document.document import Document
from maskedit.document.history import Box
from maskedit.gui.live import LiveScheduler
from maskedit.gui.worker import Engine, Mailbox, Rendered, RenderRequest, RenderWorker
from maskedit.labels import BY_NAME, NUM_LABELS

TOOLS = ("brush", "eraser", "fill", "lasso", "picker")
MIN_BRUSH, MAX_BRUSH = 1, 256
STARTING, NO_ENGINE = "starting", "no engine"
RENDER_FAILED = "render failed"


class Editor(QObject):
    """What the window shows and the tools act on.

    Args:
        make_engine: called once, in the worker's thread, to load torch and the weights.
    """

    document_changed = Signal()
    labels_changed = Signal(object)  # Box
    history_changed = Signal()
    result_changed = Signal()
    preview_changed = Signal(str)
    engine_changed = Signal(str)
    tool_changed = Signal(str)
    label_changed = Signal(int)
    brush_changed = Signal(int)
    options_changed = Signal()
    message = Signal(str, str)  # level ("info", "error"), text
    _wake = Signal()

    def __init__(self, make_engine: Callable[[], Engine], parent: QObject | None = None):
        super().__init__(parent)
        self.document: Document | None = None
        self.tool = "brush"
        self.label = BY_NAME["hair"].id
        self.last_label = BY_NAME["skin"].id
        self.brush = 24
        self.mirror = False
        self.pressure = False
        self.colour_blind = False
        """Whether labels are shown in the second palette; files keep the published one."""
        self.result: np.ndarray | None = None
        self.result_image: QImage | None = None
        self.engine = STARTING
        self.about = ""
        """A few lines about the weights and their licence, once they are loaded."""
        self._before_choice = self.label, self.last_label
        self._result_revision = -1
        self._sequence = 0
        self._oldest_wanted = 0
        self._shown = 0
        self._waiting: list[tuple[Callable[[], None], Callable[[str], None] | None]] = []
        self._failed = ""
        self.renders = 0

        self.live = LiveScheduler(time.monotonic)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._render_if_due)
        self._started_at = 0.0
        self._ticker = QTimer(self, interval=100)
        self._ticker.timeout.connect(self._tell_state)

        self._mailbox = Mailbox()
        self._thread = QThread()
        self._thread.setObjectName("render")
        self._worker = RenderWorker(self._mailbox, make_engine)
        self._worker.moveToThread(self._thread)
        self._thread.started.connect(self._worker.start)
        self._wake.connect(self._worker.work)
        self._worker.ready.connect(self._engine_ready)
        self._worker.rendered.connect(self._render_finished)
        self._worker.failed.connect(self._render_failed)

    # Document ---------------------------------------------------------------------------------------------------

    def set_document(self, document: Document) -> None:
        """Show another document; what is still rendering for the old one will be dropped."""
        self.document = document
        self.result = self.result_image = None
        self._result_revision = -1
        self._oldest_wanted = self._sequence + 1
        self._failed = ""
        if self._mailbox.take() is not None:
            self.live.finished(None)  # the worker has not begun with it, and will never answer
        self.live.reset()
        self.document_changed.emit()
        self.history_changed.emit()
        self._give_up("another photo was opened")
        self.live.force()
        self._schedule()

    def changed(self, box: Box | None) -> None:
        """Tell everybody that the label map changed in ``box``; tools call it after every change."""
        if box is None:
            return
        self.live.edited()
        self.labels_changed.emit(box)
        self._schedule()
        self._tell_state()

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
        """``mirror``, ``pressure``, ``colour_blind``: on or off; ``only_over``: an id or None; ``locked``: ids."""
        if name in ("mirror", "pressure", "colour_blind"):
            setattr(self, name, bool(value))
        elif self.document is not None:
            setattr(self.document, name, value)
        self.options_changed.emit()

    # Live preview -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the worker; torch loads there while the window is already up."""
        self._thread.start()
        self._schedule()
        self._tell_state()

    def set_live(self, on: bool) -> None:
        self.live.enabled = on
        self.options_changed.emit()
        self._schedule()
        self._tell_state()

    @Slot()
    def render_now(self) -> None:
        self.live.force()
        self._schedule()

    @property
    def up_to_date(self) -> bool:
        """Whether the result is the render of the label map as it stands."""
        return self.document is not None and self._result_revision == self.document.revision

    @property
    def has_waiting(self) -> bool:
        """Whether somebody waits for a result that is up to date."""
        return bool(self._waiting)

    def when_up_to_date(self, then: Callable[[], None], otherwise: Callable[[str], None] | None = None) -> None:
        """Call ``then`` once the result belongs to the label map as it stands; at once if it does already.

        When that never comes, because the render failed or another document was opened, ``otherwise`` is called with
        the reason: who was promised something must hear that it is off.
        """
        if self.up_to_date:
            then()
        else:
            self._waiting.append((then, otherwise))
            self.render_now()

    def _give_up(self, reason: str) -> None:
        """Nobody who waits will get the result waited for."""
        waiting, self._waiting = self._waiting, []
        for _, otherwise in waiting:
            if otherwise is not None:
                otherwise(reason)

    def _schedule(self) -> None:
        delay = self.live.delay()
        if delay is None or self.document is None or not self._thread.isRunning():
            self._timer.stop()
        elif delay == 0:
            self._timer.stop()
            self._submit()
        else:
            self._timer.start(max(1, round(delay * 1000)))

    @Slot()
    def _render_if_due(self) -> None:
        self._schedule()

    def _submit(self) -> None:
        document = self.document
        self._sequence += 1
        self._mailbox.put(
            RenderRequest(
                sequence=self._sequence,
                revision=document.revision,
                photo=document.photo,
                reference_labels=document.reference_labels,
                labels=document.snapshot(),
            )
        )
        self.live.started()
        self._started_at = time.monotonic()
        self._failed = ""
        self.renders += 1
        self._wake.emit()
        self._ticker.start()
        self._tell_state()

    @Slot(object)
    def _render_finished(self, rendered: Rendered) -> None:
        self.live.finished(rendered.seconds)
        request = rendered.request
        # A result for another document, or older than the one on the screen, never shows.
        if request.sequence >= max(self._oldest_wanted, self._shown):
            self._shown = request.sequence
            self._result_revision = request.revision
            self.result, self.result_image = rendered.pixels, rendered.image
            self.result_changed.emit()
            if rendered.notice:
                self.message.emit("info", rendered.notice)
        self._set_engine(rendered.engine)
        if self.up_to_date:
            waiting, self._waiting = self._waiting, []
            for then, _ in waiting:
                then()
        elif self._waiting:
            self.live.force()
        self._after_render()

    @Slot(int, str)
    def _render_failed(self, sequence: int, reason: str) -> None:
        if sequence < 0:
            self._set_engine(NO_ENGINE)
            if self.live.in_flight:
                return  # the request that waits will fail in the same way, and say so
        else:
            self.live.finished(None)
        self._failed, why = reason, reason.rstrip(".")
        if self.live.enabled:
            self.set_live(False)
            reason += " Live preview is off; painting goes on. Press F5 to render again."
        self.message.emit("error", reason)
        self._give_up(f"the render failed ({why})")  # after the message: a broken promise is what must stay readable
        self._after_render()

    def _after_render(self) -> None:
        self._ticker.stop()
        self._schedule()
        self._tell_state()

    @Slot(str, str)
    def _engine_ready(self, engine: str, about: str) -> None:
        self.about = about
        self._set_engine(engine)

    def _set_engine(self, engine: str) -> None:
        if engine != self.engine:
            self.engine = engine
            self.engine_changed.emit(engine)

    @Slot()
    def _tell_state(self) -> None:
        if self._ticker.isActive():
            loading = self.engine == STARTING
            state = "loading" if loading else f"rendering {time.monotonic() - self._started_at:.1f} s"
        elif self._failed:
            state = RENDER_FAILED
        elif self.document is None:
            state = ""
        else:
            state = "up to date" if self.up_to_date else "out of date"
        self.preview_changed.emit(state)

    # Leaving ----------------------------------------------------------------------------------------------------

    def stop(self, seconds: float = 5.0) -> bool:
        """Drop what waits and end the worker; False when a render does not come to its end in time."""
        self._timer.stop()
        self._ticker.stop()
        self._waiting.clear()
        self._mailbox.put(None)
        for signal in (self._worker.ready, self._worker.rendered, self._worker.failed):
            signal.disconnect()
        self._thread.quit()
        return self.join(seconds)

    def join(self, seconds: float) -> bool:
        """Wait for the worker's end; False when a render takes longer."""
        return self._thread.wait(round(seconds * 1000))
