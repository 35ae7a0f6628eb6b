"""What an engine is asked for and what it answers; needs no torch, so that the window can speak of it at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from maskedit.render.compositing import Composite
from maskedit.render.modes import FULL, Mode, never


@dataclass(frozen=True)
class RenderResult:
    """One render: the network's own picture."""

    image: np.ndarray
    """(S, S, 3) uint8 RGB, of the photo's side."""
    seconds: float
    engine: str
    """What makes full renders, e.g. ``"CPU OpenVINO int8, 256 px"``; boxes are always torch's."""
    mode: Mode = FULL
    """``FULL``, or ``QUICK`` where only boxes around what changed were rendered."""
    notice: str = ""
    """One sentence for the person when something had to give way, e.g. GPU memory; else empty."""


@dataclass(frozen=True)
class EditResult:
    """An edit laid into its photo."""

    composite: Composite
    """The edited square, and what it takes to lay it into the whole photo."""
    seconds: float
    engine: str
    """As of `RenderResult`."""
    mode: Mode = FULL
    """``FULL``, or ``QUICK`` where it was made quickly, and another one would look a little better."""
    notice: str = ""
    """Sentences for the person when something had to give way; else empty."""
    typical: bool = True
    """Whether other edits take about as long; False where there was nothing to draw."""
    restyled: np.ndarray | None = None
    """(S, S) float32, 0..1: how much of the photo's own pixels took another style; None where there are no styles. The
    composite is laid into the photo with its styles."""

    @property
    def image(self) -> np.ndarray:
        """(S, S, 3) uint8 RGB: the edited photo, bit for bit the photo itself where `reach` is 0."""
        return self.composite.image

    @property
    def reach(self) -> np.ndarray:
        """(S, S) float32, 0..1: how much of the edit and of the styles there is."""
        alpha = self.composite.alpha
        return alpha if self.restyled is None else np.maximum(alpha, self.restyled)

    @property
    def changed_outside(self) -> int:
        """The greatest difference from the photo where edit and styles have no part, 0..255: measured, and to be 0."""
        return self.composite.changed_outside


class Learning(Protocol):
    """A face being learned, a step at a time; `maskedit.render.learning.Learning` says what each does."""

    done: int
    total: int

    def step(self) -> float: ...

    def show(self) -> None: ...

    def finish(self) -> bytes: ...

    def cancel(self) -> None: ...


class FaceRenderer(Protocol):
    """What the edit renderer needs of a renderer; `maskedit.Renderer` is one, and says what each does."""

    @property
    def engine(self) -> str:
        """What renders, for a person."""
        ...

    @property
    def about(self) -> str:
        """A few lines on the weights and their licence; may be empty."""
        ...

    @property
    def has_quick(self) -> bool:
        """Whether ``update`` is anything else than ``render``."""
        ...

    @property
    def completes(self) -> bool:
        """Whether the network sees the photo around an edit, and ``complete`` can be asked for."""
        ...

    @property
    def cache_bytes(self) -> int:
        """Memory that is kept for ``update``."""
        ...

    def set_target(self, photo: np.ndarray, reference_labels: np.ndarray) -> None: ...

    def render(self, labels: np.ndarray, *, cancelled: Callable[[], bool] = never) -> RenderResult: ...

    def update(self, labels: np.ndarray) -> RenderResult: ...

    def complete(
        self, labels: np.ndarray, *, whole: bool = False, quick: bool = False, cancelled: Callable[[], bool] = never
    ) -> EditResult: ...

    def complete_once(
        self,
        photo: np.ndarray,
        reference_labels: np.ndarray,
        labels: np.ndarray,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Composite: ...

    def idle(self, cancelled: Callable[[], bool] = never) -> bool: ...

    def learn(self, steps: int | None = None) -> Learning: ...

    def load_face_weights(self, data: bytes) -> None: ...

    def forget(self) -> None: ...
