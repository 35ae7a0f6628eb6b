"""Recovery files: what a crash would lose, written every ten seconds and every twenty edits, apart from sessions."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, QTimer, Signal, Slot

from maskedit.document import session
from maskedit.document.document import Document
from maskedit.document.session import LeftWork
from maskedit.errors import UserError, explain
from maskedit.gui.editor import Editor
from maskedit.gui.states import Level

SECONDS = 10
EDITS = 20
THUMBNAIL = 96
"""Side in pixels of the pictures of works that were left behind."""

logger = logging.getLogger(__name__)


def recovery_folder() -> Path:
    """Where recovery files lie on this system; the tests put their own folder here."""
    data = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppDataLocation)
    return Path(data) / "recovery"


def log_file() -> Path:
    """The log of the newest runs, beside the recovery files."""
    return recovery_folder().parent / "maskedit.log"


class Recovery(QObject):
    """Keeps one recovery file of the open document, and finds those that others left behind."""

    _failed = Signal(str)

    def __init__(self, editor: Editor, parent: QObject | None = None):
        super().__init__(parent)
        self._editor = editor
        self.folder = recovery_folder()
        self._path: Path | None = None
        self._thread: threading.Thread | None = None
        self._edits_written = 0
        self._written: tuple[Document, *tuple[object, ...]] | None = None
        """The document in the recovery file, and what of it has to change before it is written again."""
        self._timer = QTimer(self, interval=SECONDS * 1000)
        self._timer.timeout.connect(self.write)
        self._timer.start()
        self._failed.connect(self._write_failed)
        editor.history_changed.connect(self._count_edits)

    def set_seconds(self, seconds: int) -> None:
        """How often unsaved work is written; what is no number of seconds is as if nothing was chosen."""
        self._timer.setInterval((seconds if seconds > 0 else SECONDS) * 1000)

    def forget(self, edits: int) -> None:
        """The document is safe, or another one is open, which has had so many edits: nothing is left to recover."""
        self._edits_written = edits
        self._written = None
        self._wait()
        if self._path is not None:
            path, self._path = self._path, None
            self.discard(path)

    @Slot()
    def write(self) -> None:
        """Write the recovery file in a thread of its own: packing a photo would hold up the brush."""
        document = self._editor.document
        busy = self._thread is not None and self._thread.is_alive()
        if document is None or not document.is_modified or document.stroke is not None or busy:
            return
        self._edits_written = document.edit_count
        now = document, document.revision, document.history.state, document.face_weights, document.snapshots
        if self._written == now:
            return  # the times in which nobody paints cost nothing
        self._written = now
        copy = document.copy()
        self._path = session.recovery_path(self.folder, document.name)

        def work() -> None:
            try:
                session.write_recovery(self.folder, copy)
            except Exception as error:
                logger.exception("The recovery file was not written.")
                self._failed.emit(explain(error))  # a signal: this is not the GUI thread

        self._thread = threading.Thread(target=work, name="recovery", daemon=True)
        self._thread.start()

    def keep(self) -> None:
        """Write what there is, and wait until it lies on the disk: the program ends without a question."""
        self._editor.let_go()
        self._wait()
        self.write()
        self._wait()

    def found(self) -> list[LeftWork]:
        """What editors left behind that run no more, newest first."""
        return [session.look_into_recovery(path, THUMBNAIL) for path in session.find_recoveries(self.folder)]

    def take_over(self, path: Path) -> None:
        """Open the work in a recovery file; it is kept until it lies under our own name. May raise UserError."""
        self._editor.set_document(session.load_recovery(path))
        self.write()
        self._wait()
        if self._path is not None and self._path.is_file():
            session.discard_recovery(path)

    def discard(self, path: Path) -> None:
        """Throw one recovery file away; a failure is told."""
        try:
            session.discard_recovery(path)
        except UserError as error:
            logger.exception("A recovery file was not deleted.")
            self._editor.tell(Level.ERROR, str(error))

    def close(self) -> None:
        """The person has left properly."""
        self._timer.stop()
        self.forget(0)

    @Slot()
    def _count_edits(self) -> None:
        document = self._editor.document
        if document is not None and document.edit_count - self._edits_written >= EDITS:
            self.write()

    @Slot(str)
    def _write_failed(self, reason: str) -> None:
        self._written = None  # the next time tries again
        self._editor.tell(Level.ERROR, reason)

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
