"""Which weights and which engine draw, and how that is changed while the editor works."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from maskedit.errors import UserError
from maskedit.gui.states import Level
from maskedit.render.results import FaceRenderer

if TYPE_CHECKING:
    from maskedit.gui.editor import Editor

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RendererChoice:
    """All that a person chooses of what draws."""

    weights: Path | None = None
    """A .safetensors file; the bundled one when None."""
    engine: str = "auto"
    """One of `ENGINES`."""


class RendererChooser(QObject):
    """Knows what was chosen, and has the render thread exchange its renderer for another.

    Args:
        editor: whose picture is drawn anew then.
        make: makes a renderer of a choice, in the render thread; may raise UserError.
        choice: what draws first.
        fallback: what draws instead where that cannot be made.
    """

    changed = Signal()
    """`choice` is another."""
    _fell_back = Signal(str)

    def __init__(
        self,
        editor: Editor,
        make: Callable[[RendererChoice], FaceRenderer],
        choice: RendererChoice,
        fallback: RendererChoice,
    ):
        super().__init__(editor)
        self._editor, self._make, self._fallback = editor, make, fallback
        self.choice = choice
        self._fell_back.connect(self._tell_fallback)

    def make_first(self) -> FaceRenderer:
        """What draws first; for the render thread, which calls it again where nothing could be made."""
        try:
            return self._make(self.choice)
        except UserError as error:
            if self.choice == self._fallback:
                raise
            logger.warning("The chosen renderer was not made: %s", error)
            renderer = self._make(self._fallback)
            self._fell_back.emit(str(error))
            return renderer

    def choose(
        self,
        *,
        then: Callable[[], None] = lambda: None,
        otherwise: Callable[[str], None] | None = None,
        **changes: Path | str | None,
    ) -> None:
        """Draw with other ``weights`` or another ``engine``; the document stays as it is.

        Args:
            then: called once they draw.
            otherwise: called with the reason where they cannot, and all stays as it was; a message when None.
        """
        choice = replace(self.choice, **changes)

        def chosen(_: object) -> None:
            self._set(choice)
            self._editor.render.renew()
            then()

        make = partial(self._make, choice)
        self._editor.jobs.run(
            lambda services: services.exchange_renderer(make), chosen, otherwise, asked_by_dialog=True
        )

    def _set(self, choice: RendererChoice) -> None:
        self.choice = choice
        self.changed.emit()

    @Slot(str)
    def _tell_fallback(self, reason: str) -> None:
        self._set(self._fallback)
        what = "The given weights draw" if self._fallback.weights else "The bundled weights draw"
        self._editor.tell(Level.ERROR, f"{reason} {what} instead; Render > Weights… chooses others.")
