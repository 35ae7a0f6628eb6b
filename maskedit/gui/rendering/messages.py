"""What goes between the window's thread and the worker's: requests one way, pictures and progress the other."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from PySide6.QtGui import QImage

from maskedit.render.compositing import Blend
from maskedit.render.modes import FULL, QUICK, Mode
from maskedit.render.results import EditResult


@dataclass(frozen=True)
class RenderRequest:
    """All a render needs. The arrays are read-only copies or never change.

    A picture is up to date as long as ``revision``, ``blend`` and ``face_weights`` are those of the document on the
    screen.
    """

    sequence: int
    """Grows with every request. A result is dropped where one of a newer request is on the screen already."""
    revision: int
    """`Document.revision` of the labels."""
    photo: np.ndarray
    reference_labels: np.ndarray
    labels: np.ndarray
    blend: Blend
    face_weights: bytes | None
    """As `Document.face_weights`."""
    mode: Mode = FULL
    """``QUICK`` where soon is better than exact: the brush is moving."""


@dataclass(frozen=True)
class Rendered:
    """A finished render, on its way back to the GUI thread."""

    request: RenderRequest
    result: EditResult
    """``result.mode`` is ``QUICK`` only where that was asked for."""
    image: QImage
    """``result.image`` for the screen."""
    learning: bool = False
    """Whether a face is being learned: the picture shows how far that is, not what was asked for."""
    has_quick: bool = False
    """Whether a render in the mode ``QUICK`` is anything else than a full one."""
    cache_bytes: int = 0
    """Memory that the engine keeps for renders in that mode."""

    @property
    def provisional(self) -> bool:
        """Whether another one is to come for the same label map."""
        return self.learning or self.result.mode == QUICK

    @property
    def how(self) -> str:
        """Mode and time, for a person."""
        seconds = self.result.seconds
        return f"{self.result.mode} " + (f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms")


@dataclass(frozen=True)
class LearningProgress:
    """How far the learning of a face has come."""

    photo: np.ndarray
    """Whose face."""
    done: int
    total: int
    decibels: float | None = None
    """PSNR of the unedited render against the photo, at the last live picture."""
    face_weights: bytes | None = None
    """The outcome, at the end; None before it, and when it was stopped."""
    ended: bool = False


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

    @property
    def waiting(self) -> Mode | None:
        """The mode of the request that waits; None where none does."""
        request = self._request
        return None if request is None else request.mode
