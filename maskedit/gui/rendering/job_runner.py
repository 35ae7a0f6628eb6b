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

    working_changed = Signal()
    """`working` is another."""

    def __init__(
        self, thread: RenderThread, busy: Callable[[], bool], tell: Callable[[Level, str], None], parent: QObject
    ):
        super().__init__(parent)
        self._thread, self._busy, self._tell = thread, busy, tell
        self.promised = 0
        """How many files are still to be written that somebody was promised."""
        self._told: list[Job] = []
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
        telling: str = "",
        given_up: Callable[[], None] | None = None,
    ) -> None:
        """Have ``work`` done; see `Job`. A failure nobody wants to hear of becomes a message."""
        self.promised += promised
        otherwise = otherwise or partial(self._tell, Level.ERROR)
        job = Job(work, then, otherwise, asked_by_dialog, promised, telling, given_up)
        self._thread.jobs.put(job)
        self._thread.wake.emit()
        if telling:
            self._told.append(job)
            self.working_changed.emit()

    @property
    def working(self) -> Job | None:
        """The newest job under way that there is something to tell of."""
        return self._told[-1] if self._told else None

    @Slot()
    def give_up(self) -> None:
        """The person does not want the job that is told of any more; a promised one is done all the same."""
        job = self.working
        if job is not None and not job.promised:
            self._thread.jobs.drop(job)
            self._told.remove(job)
            if job.given_up is not None:
                job.given_up()
            self.working_changed.emit()

    @Slot(object, object)
    def _job_done(self, job: Job, result: object) -> None:
        self._deliver(job, partial(job.then, result))

    @Slot(object, str)
    def _job_failed(self, job: Job, reason: str) -> None:
        self._deliver(job, partial(job.otherwise, reason), failed=reason)

    def _deliver(self, job: Job, hand_over: Callable[[], None], *, failed: str = "") -> None:
        if job.telling and job not in self._told:
            return  # given up
        if self._busy() and not job.asked_by_dialog:
            QTimer.singleShot(_PATIENCE, self, lambda: self._deliver(job, hand_over, failed=failed))
            return
        if job.telling:
            self._told.remove(job)  # before it is handed over: what comes next may have something to tell itself
            self.working_changed.emit()
        hand_over()
        if job.promised:
            self.promised -= 1
            self.promise_ended.emit(failed)
