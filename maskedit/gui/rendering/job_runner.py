"""Jobs for the render thread: who wants one done, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from maskedit.gui.rendering.jobs import Job, Services
from maskedit.gui.rendering.thread import RenderThread
from maskedit.gui.states import Level

_PATIENCE = 100
"""Milliseconds between two attempts to hand over a job's result, while that would be in the way."""


class JobRunner(QObject):
    """Has jobs done in the render thread, and hands over what came of them.

    Args:
        thread: does them.
        busy: whether nothing may be handed over just now, such as into the middle of a stroke.
        tell: takes a `Level` and a sentence for the person.
    """

    promise_ended = Signal(str)
    """A file that somebody was promised is written; or why it is not, where the text is not empty."""

    def __init__(
        self, thread: RenderThread, busy: Callable[[], bool], tell: Callable[[Level, str], None], parent: QObject
    ):
        super().__init__(parent)
        self._thread, self._busy, self._tell = thread, busy, tell
        self.promised = 0
        """How many files are still to be written that somebody was promised."""
        thread.worker.job_done.connect(self._job_done)
        thread.worker.job_failed.connect(self._job_failed)

    def run(
        self,
        work: Callable[[Services], object],
        then: Callable[[Any], None],
        otherwise: Callable[[str], None] | None = None,
        *,
        asked_by_dialog: bool = False,
        promised: bool = False,
    ) -> None:
        """Have ``work`` done; see `Job`. A failure nobody wants to hear of becomes a message."""
        self.promised += promised
        otherwise = otherwise or partial(self._tell, Level.ERROR)
        self._thread.jobs.put(Job(work, then, otherwise, asked_by_dialog, promised))
        self._thread.wake.emit()

    @Slot(object, object)
    def _job_done(self, job: Job, result: object) -> None:
        self._deliver(job, partial(job.then, result))

    @Slot(object, str)
    def _job_failed(self, job: Job, reason: str) -> None:
        self._deliver(job, partial(job.otherwise, reason), failed=reason)

    def _deliver(self, job: Job, hand_over: Callable[[], None], *, failed: str = "") -> None:
        if self._busy() and not job.asked_by_dialog:
            QTimer.singleShot(_PATIENCE, self, lambda: self._deliver(job, hand_over, failed=failed))
            return
        hand_over()
        if job.promised:
            self.promised -= 1
            self.promise_ended.emit(failed)
