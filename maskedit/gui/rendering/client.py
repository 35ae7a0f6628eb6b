"""The live preview: what the worker is asked for, what it answers, and which answer the screen shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QThread, QTimer, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from maskedit.document.document import Document
from maskedit.gui.rendering.jobs import Job, JobQueue, Services
from maskedit.gui.rendering.messages import LearningProgress, Mailbox, Rendered, RenderRequest
from maskedit.gui.rendering.scheduler import LiveScheduler
from maskedit.gui.rendering.worker import RenderWorker
from maskedit.gui.states import EngineState, Level, PreviewState
from maskedit.render.compositing import Blend, Composite
from maskedit.render.results import FaceRenderer

_PATIENCE = 100
"""Milliseconds between two attempts to hand over a job's result, while a dialog is open or a stroke is in progress."""
_WORTH_SAYING = 0.3
"""Seconds after which the status line says that a render is under way; quicker ones are seen as they come."""


class Preview(QObject):
    """A document, and the picture of it that the worker's thread keeps up to date; `Editor` adds the painting.

    Args:
        make_engine: called once, in the worker's thread, to load torch and the weights.
        make_finder: called there when a face is to be found or parsed, likewise.
    """

    document_changed = Signal()
    history_changed = Signal()
    result_changed = Signal()
    preview_changed = Signal()  # `preview_state`; ten times a second while a render runs
    engine_changed = Signal()
    options_changed = Signal()
    learning_changed = Signal(object)  # LearningProgress, or None: nothing is being learned
    message = Signal(str, str)  # Level, text
    _wake = Signal()
    _leave = Signal()

    def __init__(
        self,
        make_engine: Callable[[], FaceRenderer],
        make_finder: Callable[[], object] | None = None,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self.document: Document | None = None
        self.blend = Blend()
        """How an edit is laid into the photo."""
        self.composite: Composite | None = None
        self.result: np.ndarray | None = None
        self.result_image: QImage | None = None
        self.engine_state = EngineState.STARTING
        self.engine = ""
        """What renders, for a person; empty unless the engine is ready."""
        self.about = ""
        """A few lines about the weights and their licence, once they are loaded."""
        self._promised = 0
        self.learning: LearningProgress | None = None
        """How far the learning of this document's face has come; None while nothing is learned."""
        self._sequence = 0
        self._oldest_wanted = 0
        self._shown = 0
        self.rendered: Rendered | None = None
        """What is shown; it need not be up to date."""
        self._waiting: list[tuple[Callable[[], None], Callable[[str], None] | None]] = []
        self._idle: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self._failed = False

        self.live = LiveScheduler(time.monotonic)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._render_if_due)
        self._started_at = 0.0
        self._ticker = QTimer(self, interval=100)
        self._ticker.timeout.connect(self.preview_changed)

        self._mailbox, self._jobs = Mailbox(), JobQueue()
        self._thread = QThread()
        self._thread.setObjectName("render")
        self._worker = RenderWorker(self._mailbox, self._jobs, make_engine, make_finder or _no_finder)
        self._worker.moveToThread(self._thread)
        self._thread.started.connect(self._worker.start)
        self._wake.connect(self._worker.work)
        self._leave.connect(self._worker.leave)
        self._worker.ready.connect(self._engine_ready)
        self._worker.rendered.connect(self._render_finished)
        self._worker.failed.connect(self._render_failed)
        self._worker.job_done.connect(self._job_done)
        self._worker.job_failed.connect(self._job_failed)
        self._worker.glimpsed.connect(self._show)
        self._worker.learning_moved.connect(self._learning_moved)
        self._worker.learning_failed.connect(self._learning_failed)

    # Document and picture ---------------------------------------------------------------------------------------

    def set_document(self, document: Document) -> None:
        """Show another document; what is still rendering for the old one will be dropped."""
        self.document = document
        self.result = self.result_image = self.composite = self.rendered = None
        self._learn_nothing()
        self._oldest_wanted = self._sequence + 1
        self._failed = False
        if self._mailbox.take() is not None:
            self.live.finished(None)  # the worker has not begun with it, and will never answer
        self.live.reset()
        self.document_changed.emit()
        self.history_changed.emit()
        self._give_up("another document was opened")
        self.live.force()
        self._schedule()

    def start(self) -> None:
        """Start the worker; torch loads there while the window is already up."""
        self._thread.start()
        self._schedule()
        self.preview_changed.emit()

    def set_live(self, on: bool) -> None:
        self.live.enabled = on
        self.options_changed.emit()
        self._schedule()
        self.preview_changed.emit()

    @Slot()
    def render_now(self) -> None:
        self.live.force()
        self._schedule()

    @property
    def up_to_date(self) -> bool:
        """Whether the result is the render of the label map as it stands."""
        shown = self.rendered
        return shown is not None and not shown.provisional and shown.request.state == self._state()

    def _state(self) -> tuple:
        """What a render depends on, besides the photo."""
        return self.document.revision, self.blend, self.document.learned

    @property
    def has_waiting(self) -> bool:
        """Whether somebody waits for a result that is up to date, or for a file."""
        return bool(self._waiting) or self._promised > 0

    def _restyled(self) -> None:
        """The same label map is to be shown in another way."""
        self.render_now()
        self.preview_changed.emit()

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

    def when_idle(self, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Call ``then`` once nobody waits for a result or a file any more; ``otherwise`` when one of them failed."""
        self._idle.append((then, otherwise))
        self._tell_idle()

    def _tell_idle(self, failed: str = "") -> None:
        if failed or not self.has_waiting:
            idle, self._idle = self._idle, []
            for then, otherwise in idle:
                otherwise() if failed else then()

    def _give_up(self, reason: str) -> None:
        """Nobody who waits will get the result waited for."""
        waiting, self._waiting = self._waiting, []
        for _, otherwise in waiting:
            if otherwise is not None:
                otherwise(reason)
        if waiting:
            self._tell_idle(reason)

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
                state=self._state(),
                photo=document.photo,
                reference_labels=document.reference_labels,
                labels=document.snapshot(),
                blend=self.blend,
                learned=document.learned,
                mode=self.live.mode,
            )
        )
        self.live.started()
        self._started_at = time.monotonic()
        self._failed = False
        self._wake.emit()
        self._ticker.start()
        self.preview_changed.emit()

    @Slot(object)
    def _render_finished(self, rendered: Rendered) -> None:
        self.live.has_boxes = rendered.has_boxes
        self._show(rendered)
        self._set_engine(EngineState.READY, rendered.engine)
        if rendered.request.sequence != self._sequence:
            # A box render was asked for meanwhile, and this one ended before it could be given up.
            if rendered.typical:
                self.live.measured(rendered.seconds, rendered.mode)
            return
        self.live.finished(rendered.seconds, rendered.mode, typical=rendered.typical)
        if self.up_to_date:
            waiting, self._waiting = self._waiting, []
            for then, _ in waiting:
                then()
            self._tell_idle()
        elif self._waiting and self.learning is None:
            self.live.force()  # whatever is learned comes with a render of its own
        self._after_render()

    @Slot(object)
    def _show(self, rendered: Rendered) -> None:
        """A picture has come: on the screen with it."""
        request = rendered.request
        # One for another document, or older than the one on the screen, never shows.
        if request.sequence < max(self._oldest_wanted, self._shown):
            return
        self._shown = request.sequence
        self.rendered = rendered
        self.composite, self.result_image = rendered.composite, rendered.image
        self.result = rendered.composite.image
        self.result_changed.emit()
        if rendered.notice:
            self.message.emit(Level.INFO, rendered.notice)

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
        self.message.emit(Level.ERROR, reason)
        self._give_up(f"the render failed ({why})")  # after the message: a broken promise is what must stay readable
        self._after_render()

    def _after_render(self) -> None:
        self._ticker.stop()
        self._schedule()
        self.preview_changed.emit()

    @Slot(str, str)
    def _engine_ready(self, engine: str, about: str) -> None:
        self.about = about
        self._set_engine(EngineState.READY, engine)

    def _set_engine(self, state: EngineState, engine: str = "") -> None:
        if (state, engine) != (self.engine_state, self.engine):
            self.engine_state, self.engine = state, engine
            self.engine_changed.emit()

    @property
    def rendering_seconds(self) -> float:
        """How long ago the newest render was asked for."""
        return time.monotonic() - self._started_at

    @property
    def preview_state(self) -> PreviewState:
        """How the picture on the screen stands to the label map; it also changes with time while a render runs."""
        rendering = self._ticker.isActive()
        if rendering and self.engine_state is EngineState.STARTING:
            return PreviewState.LOADING
        if rendering and self.rendering_seconds > _WORTH_SAYING:
            return PreviewState.RENDERING
        if self._failed:
            return PreviewState.FAILED
        if self.learning is not None:
            return PreviewState.LEARNING
        if self.document is None:
            return PreviewState.EMPTY
        if self.rendered is None or not (self.up_to_date or rendering or self.live.waiting):
            return PreviewState.OUT_OF_DATE
        return PreviewState.UP_TO_DATE if self.up_to_date else PreviewState.FOLLOWING

    # Other work of the worker -----------------------------------------------------------------------------------

    def run(
        self,
        work: Callable[[Services], object],
        then: Callable[[Any], None],
        otherwise: Callable[[str], None] | None = None,
        *,
        promised: bool = False,
    ) -> None:
        """Have ``work`` done in the worker's thread; see `Job`. A failure nobody wants to hear of becomes a message."""
        self._promised += promised
        self._jobs.put(Job(work, then, otherwise or partial(self.message.emit, Level.ERROR), promised))
        self._wake.emit()

    @Slot(object, object)
    def _job_done(self, job: Job, result: object) -> None:
        self._deliver(job, lambda: job.then(result))

    @Slot(object, str)
    def _job_failed(self, job: Job, reason: str) -> None:
        self._deliver(job, lambda: job.otherwise(reason), failed=reason)

    def _deliver(self, job: Job, hand_over: Callable[[], None], *, failed: str = "") -> None:
        """Hand over what came of a job; not behind an open dialog, and not into the middle of a stroke."""
        stroking = self.document is not None and self.document.stroke is not None
        if stroking or QApplication.activeModalWidget() is not None:
            QTimer.singleShot(_PATIENCE, self, lambda: self._deliver(job, hand_over, failed=failed))
            return
        hand_over()
        if job.promised:
            self._promised -= 1
            self._tell_idle(failed)

    def learn(self) -> None:
        """Learn the face of this document; `learning_changed` tells how far it is."""
        photo, labels = self.document.photo, self.document.reference_labels
        self.run(lambda services: services.begin_learning(photo, labels), lambda _: None)

    def stop_learning(self) -> None:
        """Render as before the learning began."""
        self.run(lambda services: services.stop_learning(), lambda _: None)

    def forget_face(self) -> None:
        """Drop what was learned of this face."""
        self._set_learned(None)

    def _set_learned(self, learned: bytes | None) -> None:
        self.document.learned = learned
        self.history_changed.emit()
        self._restyled()

    def _learn_nothing(self) -> None:
        if self.learning is not None:
            self.learning = None
            self.learning_changed.emit(None)

    @Slot(object)
    def _learning_moved(self, progress: LearningProgress) -> None:
        if self.document is None or progress.photo is not self.document.photo:
            return
        if not progress.ended:
            self.learning = progress
            self.learning_changed.emit(progress)
            self.preview_changed.emit()
            return
        self._learn_nothing()
        if progress.learned is None:
            self._restyled()
        else:
            self._set_learned(progress.learned)

    @Slot(str)
    def _learning_failed(self, reason: str) -> None:
        self.message.emit(Level.ERROR, f"The face was not learned: {reason}")

    # Leaving ----------------------------------------------------------------------------------------------------

    def stop(self, seconds: float = 5.0) -> bool:
        """Drop what waits but promised files, and end the worker; False when that takes longer."""
        if self._worker.leaving.is_set():
            return self.join(seconds)
        self._timer.stop()
        self._ticker.stop()
        self._waiting.clear()
        self._idle.clear()
        self._mailbox.put(None)
        worker = self._worker
        for signal in (worker.ready, worker.rendered, worker.failed, worker.job_done, worker.job_failed):
            signal.disconnect()
        for signal in (worker.glimpsed, worker.learning_moved, worker.learning_failed):
            signal.disconnect()
        worker.leaving.set()
        self._leave.emit()
        return self.join(seconds)

    def join(self, seconds: float) -> bool:
        """Wait for the worker's end; False when a render takes longer."""
        return self._thread.wait(round(seconds * 1000))


def _no_finder() -> object:
    raise RuntimeError("this editor was made without a face finder")
