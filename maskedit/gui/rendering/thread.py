"""The render thread, and the two ways into it: one request at a time, and jobs one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QThread, Signal

from maskedit.gui.rendering.jobs import JobQueue
from maskedit.gui.rendering.messages import Mailbox
from maskedit.gui.rendering.worker import RenderWorker
from maskedit.render.results import FaceRenderer


class RenderThread(QThread):
    """Runs a `RenderWorker`, whose signals are the way out; torch is loaded there, while the window is already up.

    Args:
        make_renderer: called once, in this thread, to load torch and the weights.
        make_finder: called there when a face is to be found or parsed, likewise.
    """

    wake = Signal()
    """Something waits for the worker."""
    _leave = Signal()

    def __init__(self, make_renderer: Callable[[], FaceRenderer], make_finder: Callable[[], Any]):
        super().__init__()
        self.setObjectName("render")
        self.mailbox, self.jobs = Mailbox(), JobQueue()
        self.worker = RenderWorker(self.mailbox, self.jobs, make_renderer, make_finder)
        self.worker.moveToThread(self)
        self.started.connect(self.worker.start)
        self.wake.connect(self.worker.work)
        self._leave.connect(self.worker.leave)

    def stop(self, seconds: float) -> bool:
        """Drop what waits but promised files, and end; False when that takes longer than so many seconds."""
        worker = self.worker
        if not worker.leaving.is_set():
            self.mailbox.put(None)
            for signal in (worker.ready, worker.rendered, worker.failed, worker.job_done, worker.job_failed):
                signal.disconnect()
            for signal in (worker.glimpsed, worker.learning_moved, worker.learning_failed):
                signal.disconnect()
            worker.leaving.set()
            self._leave.emit()
        return self.join(seconds)

    def join(self, seconds: float) -> bool:
        """Wait for the end; False when a render takes longer."""
        return self.wait(round(seconds * 1000))
