"""Work for the worker's thread that is no render: find faces, parse, write a large photo."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Job:
    """One piece of work, and who hears what came of it."""

    work: Callable[[Any], object]
    """Runs in the worker's thread, and gets the `RenderWorker` with its engine and its face finder."""
    then: Callable[[Any], None]
    """Gets what ``work`` returned, in the GUI thread."""
    otherwise: Callable[[str], None]
    """Gets the reason when ``work`` failed, likewise."""
    promised: bool = False
    """Whether it is done even when the editor closes meanwhile: a file that somebody has been promised."""


class JobQueue:
    """First in, first out; safe between two threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()

    def put(self, job: Job) -> None:
        with self._lock:
            self._jobs.append(job)

    @property
    def waiting(self) -> bool:
        """Whether there is any."""
        return bool(self._jobs)

    def take(self) -> Job | None:
        with self._lock:
            return self._jobs.popleft() if self._jobs else None

    def keep_promised(self) -> None:
        """Drop what nobody has been promised."""
        with self._lock:
            self._jobs = deque(job for job in self._jobs if job.promised)
