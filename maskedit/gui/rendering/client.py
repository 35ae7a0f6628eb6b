"""What asks the render thread for pictures, and knows which picture on the screen belongs to which label map."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QImage

from maskedit.document.document import Document
from maskedit.document.styles import Styles
from maskedit.gui.rendering.messages import Rendered, RenderRequest
from maskedit.gui.rendering.scheduler import LiveScheduler
from maskedit.gui.rendering.thread import RenderThread
from maskedit.gui.states import EngineState, Level, PreviewState
from maskedit.render.compositing import Blend, Composite

_WORTH_SAYING = 0.3
"""Seconds after which the status line says that a render is under way; quicker ones are seen as they come."""


class RenderClient(QObject):
    """Keeps a picture of the document up to date: asks for one when the scheduler says so, and shows the newest.

    Args:
        thread: renders.
        tell: takes a `Level` and a sentence for the person.
    """

    result_changed = Signal()
    state_changed = Signal()
    """`state`; ten times a second while a render runs."""
    engine_changed = Signal()
    live_changed = Signal()
    waiting_ended = Signal(str)
    """Nobody waits for a picture any more; where the text is not empty, they got none, and why."""

    def __init__(self, thread: RenderThread, tell: Callable[[Level, str], None], parent: QObject):
        super().__init__(parent)
        self._thread, self._tell = thread, tell
        self.document: Document | None = None
        self.blend = Blend()
        """How an edit is laid into the photo."""
        self.rendered: Rendered | None = None
        """What is shown, with the request that it answers; it need not be up to date."""
        self.tried: Styles | None = None
        """Styles that are shown in place of the document's, while a person tries them."""
        self._sequence = 0
        """Of the newest request."""
        self._renewed = 0
        """The last of those that another renderer may have answered than the one that there is."""
        self._failed = False
        """Whether that has failed."""
        self.engine_state = EngineState.STARTING
        self.engine = ""
        """What renders, for a person; empty unless the engine is ready."""
        self.about = ""
        """A few lines about the weights and their licence, once they are loaded."""
        self._waiting: list[tuple[Callable[[], None], Callable[[str], None] | None]] = []

        self.live = LiveScheduler(time.monotonic)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._schedule)
        self._started_at = 0.0
        self._ticker = QTimer(self, interval=100)
        self._ticker.timeout.connect(self.state_changed)
        worker = thread.worker
        worker.ready.connect(self._engine_ready)
        worker.rendered.connect(self._render_finished)
        worker.glimpsed.connect(self._show)
        worker.noticed.connect(self._tell_notice)
        worker.failed.connect(self._render_failed)

    # What is to be shown ----------------------------------------------------------------------------------------

    def set_document(self, document: Document) -> None:
        """Show another document, once `render_now` is called; what is still rendering for the old one is dropped."""
        self.document = document
        self.rendered = self.tried = None
        self._failed = False
        if self._thread.mailbox.take() is not None:
            self.live.finished(None)  # the worker has not begun with it, and will never answer
        self.live.reset()

    def set_blend(self, blend: Blend) -> None:
        """Show the same label map in another way."""
        self.blend = blend
        self.render_now()

    def try_styles(self, styles: Styles | None) -> None:
        """Show the document with other styles than it has, until None is given or another document is shown."""
        if styles is not None or self.tried is not None:
            self.tried = styles
            if styles is None and self._waiting:
                self.live.force()  # who waits for the document's picture gets it now, live or not
            self.edited()

    def set_live(self, on: bool) -> None:
        """Whether pictures follow the edits by themselves."""
        self.live.enabled = on
        self.live_changed.emit()
        self._schedule()
        self.state_changed.emit()

    def edited(self) -> None:
        """The document's label map has changed."""
        self.live.edited()
        self._schedule()
        self.state_changed.emit()

    def stroke_began(self) -> None:
        """The brush is down."""
        self.live.stroke_began()

    def stroke_ended(self) -> None:
        """The brush is up: one more render is due."""
        self.live.stroke_ended()
        self._schedule()

    @Slot()
    def render_now(self) -> None:
        """Ask for a full render, live or not."""
        self.live.force()
        self._schedule()
        self.state_changed.emit()

    def renew(self) -> None:
        """Another renderer draws now: what is shown is out of date."""
        self._renewed = self._sequence
        self.render_now()

    def begin(self) -> None:
        """The thread runs now: ask for what is due."""
        self._schedule()
        self.state_changed.emit()

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

    def give_up(self, reason: str) -> None:
        """Nobody who waits will get the result waited for."""
        waiting, self._waiting = self._waiting, []
        for _, otherwise in waiting:
            if otherwise is not None:
                otherwise(reason)
        if waiting:
            self.waiting_ended.emit(reason)

    def stop(self) -> None:
        """Ask for nothing more."""
        self._timer.stop()
        self._ticker.stop()
        self._waiting.clear()

    # What is shown ----------------------------------------------------------------------------------------------

    @property
    def composite(self) -> Composite | None:
        """The edit laid into its photo, as it is shown; None before the first result."""
        return None if self.rendered is None else self.rendered.result.composite

    @property
    def reach(self) -> np.ndarray | None:
        """(S, S) float32, 0..1: how much of the edit and of styles there is in what is shown."""
        return None if self.rendered is None else self.rendered.result.reach

    @property
    def result(self) -> np.ndarray | None:
        """(S, S, 3) uint8 RGB: the picture that is shown."""
        return None if self.rendered is None else self.rendered.result.image

    @property
    def result_image(self) -> QImage | None:
        """The same for the screen."""
        return None if self.rendered is None else self.rendered.image

    @property
    def up_to_date(self) -> bool:
        """Whether the result is the full render of the label map as it stands."""
        if self.rendered is None or self.rendered.provisional:
            return False
        request, document = self.rendered.request, self.document
        if request.sequence <= self._renewed:
            return False
        wanted = document.revision, self.blend, document.face_weights, document.styles
        return (request.revision, request.blend, request.face_weights, request.styles) == wanted

    @property
    def waited_for(self) -> bool:
        """Whether somebody waits for a result that is up to date."""
        return bool(self._waiting)

    @property
    def rendering(self) -> bool:
        """Whether a render was asked for and has not come."""
        return self._ticker.isActive()

    @property
    def rendering_seconds(self) -> float:
        """How long ago the newest render was asked for."""
        return time.monotonic() - self._started_at

    @property
    def state(self) -> PreviewState:
        """How the picture on the screen stands to the label map; it also changes with time while a render runs."""
        if self.rendering and self.engine_state is EngineState.STARTING:
            return PreviewState.LOADING
        if self.rendering and self.rendering_seconds > _WORTH_SAYING:
            return PreviewState.RENDERING
        if self._failed:
            return PreviewState.FAILED
        if self.document is None:
            return PreviewState.EMPTY
        follows = self.up_to_date or self.rendering or self.live.waiting or self.tried is not None
        if self.rendered is None or not follows:
            return PreviewState.OUT_OF_DATE
        return PreviewState.UP_TO_DATE if self.up_to_date else PreviewState.FOLLOWING

    # To the render thread and back ------------------------------------------------------------------------------

    @Slot()
    def _schedule(self) -> None:
        delay = self.live.delay()
        self._timer.stop()
        if delay is None or self.document is None or not self._thread.isRunning():
            return
        if delay == 0:
            self._submit()
        else:
            self._timer.start(max(1, round(delay * 1000)))

    def _submit(self) -> None:
        document = self.document
        self._sequence += 1
        self._thread.mailbox.put(
            RenderRequest(
                sequence=self._sequence,
                revision=document.revision,
                photo=document.photo,
                reference_labels=document.reference_labels,
                labels=document.snapshot(),
                blend=self.blend,
                face_weights=document.face_weights,
                styles=document.styles if self.tried is None else self.tried,
                mode=self.live.mode,
            )
        )
        self.live.started()
        self._started_at = time.monotonic()
        self._failed = False
        self._thread.wake.emit()
        self._ticker.start()
        self.state_changed.emit()

    @Slot(object)
    def _render_finished(self, rendered: Rendered) -> None:
        result = rendered.result
        self.live.has_quick = rendered.has_quick
        self._show(rendered)
        self._set_engine(EngineState.READY, result.engine)
        if rendered.request.sequence != self._sequence:
            # A quick render was asked for meanwhile, and this one ended before it could be given up.
            if result.typical:
                self.live.measured(result.seconds, result.mode)
            return
        self.live.finished(result.seconds, result.mode, typical=result.typical)
        if self.up_to_date:
            waiting, self._waiting = self._waiting, []
            for then, _ in waiting:
                then()
            self.waiting_ended.emit("")
        elif self._waiting and not rendered.learning and self.tried is None:
            self.live.force()  # whatever is learned comes with a render of its own
        self._after_render()

    @Slot(object)
    def _show(self, rendered: Rendered) -> None:
        """A picture has come: on the screen with it, unless it is of another document, or older than the one there."""
        request, shown = rendered.request, self.rendered
        if request.photo is not self.document.photo:  # every document has an array of its own
            return
        if shown is not None and request.sequence < shown.request.sequence:
            return
        self.rendered = rendered
        self.result_changed.emit()
        if rendered.result.notice:
            self._tell_notice(rendered.result.notice)

    @Slot(str)
    def _tell_notice(self, notice: str) -> None:
        self._tell(Level.INFO, notice)

    @Slot(int, str)
    def _render_failed(self, sequence: int, reason: str) -> None:
        if sequence < 0:
            self._set_engine(EngineState.MISSING)
            if self.live.in_flight:
                return  # the request that waits will fail in the same way, and say so
        elif sequence < self._sequence:
            return  # it was overtaken, and who overtook it will tell
        else:
            self.live.finished(None)
        self._failed, why = True, reason.rstrip(".")
        if self.live.enabled:
            self.set_live(False)
            reason += " Live preview is off; painting goes on. Press F5 to render again."
        self._tell(Level.ERROR, reason)
        self.give_up(f"the render failed ({why})")  # after the message: a broken promise is what must stay readable
        self._after_render()

    def _after_render(self) -> None:
        self._ticker.stop()
        self._schedule()
        self.state_changed.emit()

    @Slot(str, str)
    def _engine_ready(self, engine: str, about: str) -> None:
        self.about = about
        self._set_engine(EngineState.READY, engine)

    def _set_engine(self, state: EngineState, engine: str = "") -> None:
        if (state, engine) != (self.engine_state, self.engine):
            self.engine_state, self.engine = state, engine
            self.engine_changed.emit()
