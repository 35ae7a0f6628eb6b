"""Work for the worker's thread that is no render: find faces, parse, write a large photo."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from maskedit.gui.rendering.messages import Rendered, RenderRequest
from maskedit.imaging import Square
from maskedit.render.compositing import Composite
from maskedit.render.results import FaceRenderer


class Services(Protocol):
    """What a job may use in the worker's thread."""

    leaving: threading.Event
    """Set when the editor closes: long work that nobody was promised may stop."""

    @property
    def finder(self) -> Any:
        """The face finder, with its parser; made when it is first asked for."""
        ...

    @property
    def label_space(self) -> Any:
        """What a network knows of label maps, a `LabelSpace`; made likewise."""
        ...

    def exchange_renderer(self, make: Callable[[], FaceRenderer]) -> None:
        """Render with what ``make`` makes from now on; where it raises, the renderer that there is stays."""
        ...

    def at_full_size(self, rendered: Rendered, original: np.ndarray, square: Square) -> Composite:
        """A finished render as sharp as the whole photo that its square was cut from; see `EditRenderer`."""
        ...

    def rendered_apart(self, request: RenderRequest) -> Rendered:
        """What a request would show, of any photo; nothing on the screen changes."""
        ...

    def begin_learning(self, photo: np.ndarray, reference_labels: np.ndarray) -> None:
        """Learn the face of a photo (S, S, 3) uint8 with its own label map (S, S) uint8, between other work."""
        ...

    def stop_learning(self) -> None:
        """Render as before the learning began, without a trace of it."""
        ...


@dataclass(frozen=True, eq=False)
class Job:
    """One piece of work, and who hears what came of it."""

    work: Callable[[Services], object]
    """Runs in the worker's thread."""
    then: Callable[[Any], None]
    """Gets what ``work`` returned, in the GUI thread."""
    otherwise: Callable[[str], None]
    """Gets the reason when ``work`` failed, likewise."""
    asked_by_dialog: bool = False
    """Whether it is delivered although a dialog is open: to that dialog."""
    promised: bool = False
    """Whether it is done even when the editor closes meanwhile: a file that somebody has been promised."""
    telling: str = ""
    """What the person reads until it is done; empty for what takes no time to speak of."""
    given_up: Callable[[], None] | None = None
    """Called in the GUI thread when the person does not want it any more; neither of the two above is called then."""


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

    def drop(self, job: Job) -> None:
        """Take one out wherever it waits; one that is under way goes on."""
        with self._lock:
            self._jobs = deque(other for other in self._jobs if other is not job)

    def keep_promised(self) -> None:
        """Drop what nobody has been promised."""
        with self._lock:
            self._jobs = deque(job for job in self._jobs if job.promised)
