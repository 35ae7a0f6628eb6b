"""Rendering off the GUI thread: a mailbox of one, and a worker that lives in its own QThread.

torch is imported here, in the worker, so that the window stands first. Results go to slots of objects that live in
the GUI thread; a lambda would run in this thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from maskedit.errors import UserError
from maskedit.gui.qimage import photo_image


@dataclass(frozen=True)
class RenderRequest:
    """All a render needs. The arrays are read-only copies or never change."""

    sequence: int
    """Grows with every request; results come back with it, and older ones than the shown are dropped."""
    revision: int
    """The document's revision that ``labels`` are."""
    photo: np.ndarray
    reference_labels: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Rendered:
    """A finished render, on its way back to the GUI thread."""

    request: RenderRequest
    pixels: np.ndarray
    image: QImage
    seconds: float
    engine: str
    notice: str


class Engine(Protocol):
    """What the worker needs of a renderer; ``maskedit.Renderer`` is one.

    ``about``, a few lines on its weights and their licence, is shown where there is one.
    """

    engine: str

    def set_target(self, photo: np.ndarray, reference_labels: np.ndarray) -> None: ...

    def render(self, labels: np.ndarray): ...


class Mailbox:
    """Holds the newest request only; safe between two threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._request: RenderRequest | None = None

    def put(self, request: RenderRequest | None) -> None:
        """Replace whatever waits; None empties the box."""
        with self._lock:
            self._request = request

    def take(self) -> RenderRequest | None:
        with self._lock:
            request, self._request = self._request, None
            return request


class RenderWorker(QObject):
    """Makes the engine, then renders what it finds in the mailbox each time it is woken."""

    ready = Signal(str, str)  # engine, about
    rendered = Signal(object)
    failed = Signal(int, str)

    def __init__(self, mailbox: Mailbox, make_engine: Callable[[], Engine]):
        super().__init__()
        self._mailbox = mailbox
        self._make_engine = make_engine
        self._engine: Engine | None = None
        self._target: tuple[np.ndarray, np.ndarray] | None = None

    @Slot()
    def start(self) -> None:
        """Load torch and the weights; a failure is reported, and tried again at the next request."""
        try:
            self._engine = self._make_engine()
        except Exception as error:
            self.failed.emit(-1, explain(error))
            return
        self._tell_ready()

    def _tell_ready(self) -> None:
        self.ready.emit(self._engine.engine, getattr(self._engine, "about", ""))

    @Slot()
    def work(self) -> None:
        """Render the newest request, if there is one."""
        request = self._mailbox.take()
        if request is None:
            return
        try:
            if self._engine is None:
                self._engine = self._make_engine()
                self._tell_ready()
            target = (request.photo, request.reference_labels)
            if self._target is None or any(ours is not new for ours, new in zip(self._target, target, strict=True)):
                self._engine.set_target(*target)
                self._target = target
            result = self._engine.render(request.labels)
            image = photo_image(result.image)
        except Exception as error:
            # The next run starts clean, whatever state the failed one left behind.
            self._target = None
            self.failed.emit(request.sequence, explain(error))
            return
        rendered = Rendered(request, result.image, image, result.seconds, result.engine, result.notice)
        self.rendered.emit(rendered)


def explain(error: Exception) -> str:
    """One sentence for a person."""
    if isinstance(error, UserError):
        return str(error)
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no further word'}"


def shipped_engine(weights: str | None, device: str, precision: str) -> Callable[[], Engine]:
    """A function that loads torch and the weights when the worker calls it."""

    def make() -> Engine:
        from maskedit.render.renderer import Renderer

        return Renderer(weights, device=device, precision=precision)

    return make
