"""The learning of one face, as the window sees it: begun, followed, stopped, forgotten."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal, Slot

from maskedit.gui.rendering.client import RenderClient
from maskedit.gui.rendering.job_runner import JobRunner
from maskedit.gui.rendering.messages import LearningProgress
from maskedit.gui.rendering.worker import RenderWorker
from maskedit.gui.states import Level


class FaceTuning(QObject):
    """Has the render thread learn the face of the open document, and gives the document what was learned.

    Args:
        worker: learns, between other work.
        client: knows the document, and shows it anew.
        jobs: begins and stops the learning.
        tell: takes a `Level` and a sentence for the person.
    """

    progressed = Signal(object)
    """LearningProgress, or None: nothing is being learned."""
    face_weights_changed = Signal()
    """`Document.face_weights` is another."""

    def __init__(
        self,
        worker: RenderWorker,
        client: RenderClient,
        jobs: JobRunner,
        tell: Callable[[Level, str], None],
        parent: QObject,
    ):
        super().__init__(parent)
        self._client, self._jobs, self._tell = client, jobs, tell
        self.progress: LearningProgress | None = None
        """How far it has come; None while nothing is learned."""
        worker.learning_moved.connect(self._moved)
        worker.learning_failed.connect(self._failed)

    def begin(self) -> None:
        """Learn the face of this document; `progressed` tells how far it is."""
        photo, labels = self._client.document.photo, self._client.document.reference_labels
        self._jobs.run(lambda services: services.begin_learning(photo, labels), lambda _: None)

    def stop(self) -> None:
        """Render as before the learning began."""
        self._jobs.run(lambda services: services.stop_learning(), lambda _: None)

    def forget(self) -> None:
        """Drop what was learned of this face."""
        self._set_face_weights(None)

    def end(self) -> None:
        """Nothing is learned any more, of this document or because there is another one."""
        if self.progress is not None:
            self.progress = None
            self.progressed.emit(None)

    def _set_face_weights(self, face_weights: bytes | None) -> None:
        self._client.document.face_weights = face_weights
        self.face_weights_changed.emit()
        self._client.render_now()

    @Slot(object)
    def _moved(self, progress: LearningProgress) -> None:
        document = self._client.document
        if document is None or progress.photo is not document.photo:
            return
        if not progress.ended:
            self.progress = progress
            self.progressed.emit(progress)
            return
        self.end()
        if progress.face_weights is None:
            self._client.render_now()
        else:
            self._set_face_weights(progress.face_weights)
            self._tell(Level.INFO, "This face is learned; Render > Whole face shows it.")

    @Slot(str)
    def _failed(self, reason: str) -> None:
        self._tell(Level.ERROR, f"The face was not learned: {reason}")
